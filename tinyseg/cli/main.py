"""The command line: one file a command; errors become one sentence and an exit code."""

import signal
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

import tinyseg
from tinyseg.cli import console
from tinyseg.cli.compare import compare
from tinyseg.cli.count import count
from tinyseg.cli.data import data
from tinyseg.cli.demo import demo
from tinyseg.cli.doctor import doctor
from tinyseg.cli.evaluate import evaluate
from tinyseg.cli.export import export
from tinyseg.cli.importing import import_weights
from tinyseg.cli.models import models
from tinyseg.cli.predict import predict
from tinyseg.cli.profile import profile
from tinyseg.cli.train import train
from tinyseg.errors import ExitCode, TinysegError


class Commands(TyperGroup):
    """Turns whatever a command raises into a sentence and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command; what it raises never reaches the user as a traceback."""
        try:
            return super().invoke(ctx)
        except (Exception, KeyboardInterrupt) as error:
            if _is_interruption(error):
                console.notes.print("Interrupted.")
                raise typer.Exit(ExitCode.INTERRUPTED) from None
            if isinstance(error, TinysegError):
                _explain(error)
                raise typer.Exit(error.exit_code) from None
            known = type(error).__module__.partition(".")[0] in ("typer", "click")
            if known or isinstance(error, BrokenPipeError):  # nobody reads on, as with "| head"
                raise
            console.notes.print(f"This is a bug in tinyseg: {type(error).__name__}: {error}.")
            _show_traceback(
                "Please report it with what this command prints when you add --verbose."
            )
            raise typer.Exit(ExitCode.FAILED) from None


def _is_interruption(error: BaseException | None) -> bool:
    """Whether it is Ctrl-C, or came up while work was tidied away after one."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _explain(error: TinysegError) -> None:
    console.notes.print(
        f"[bold red]Error:[/] {_plain(error.message)}"
        + (f"\n[bold]Mend:[/] {_plain(error.mend)}" if error.mend else ""),
        highlight=False,
        soft_wrap=True,
    )
    _show_traceback("")


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


def _show_traceback(otherwise: str) -> None:
    if console.settings.verbose:
        traceback.print_exc(file=sys.stderr)
    elif otherwise:
        console.notes.print(otherwise)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Which compact vision network to ship to a small device, with numbers that hold.",
)
for command in (train, evaluate, predict, count, export, profile, compare, models, demo, doctor):
    app.command()(command)
app.command("import")(import_weights)
app.add_typer(data, name="data")


def _version(value: bool) -> None:
    if value:
        print(f"tinyseg {tinyseg.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="The version, and nothing else."
    ),
) -> None:
    """Train, count, export with proof, profile and compare compact networks."""


def main() -> None:
    """Entry point of the ``tinyseg`` command."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as cleanly as Ctrl-C
    app()
