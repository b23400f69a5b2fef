"""`tinyseg compare`."""

from pathlib import Path
from typing import Annotated

import typer

from tinyseg.cli import console
from tinyseg.cli.options import Json, Quiet, Runs, Verbose
from tinyseg.errors import TinysegError


def compare(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="Runs; by default all.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", help="Columns to show, separated by commas.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="COLUMN", help="Best first.")
    ] = None,
    where: Annotated[
        list[str],
        typer.Option(
            "--where", metavar="CONDITION", help="Such as 'parameters<100000'; may be repeated."
        ),
    ] = [],  # noqa: B006  (typer copies it)
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="RUN", help="Subtract this run's score, pair by pair."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw scores against parameters."),
    ] = None,
    runs: Runs = Path("runs"),
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Puts runs side by side, the Pareto-optimal ones marked.

    Example: tinyseg compare --where 'parameters<100000' --plot figure.png
    """
    from tinyseg import comparison
    from tinyseg.runs import Run

    found = [Run.open(name, runs) for name in names] if names else Run.all(runs)
    if not found:
        raise TinysegError(
            f"There are no runs in '{runs}'.",
            "Make one: tinyseg train --model ul-vm-unet --data phantom",
        )
    if plot:
        comparison.check_suffix(plot)
    document = comparison.compare(
        found, where=where, sort=sort, against=Run.open(against, runs) if against else None
    )
    chosen = [name.strip() for name in columns.split(",")] if columns else None
    console.emit(document, comparison.ComparisonTable(document, chosen))
    if plot:
        comparison.plot(document, plot)
        console.say(f"Written to {plot}.")
    elif document.rows:
        console.say("Next: tinyseg compare --plot figure.png")
