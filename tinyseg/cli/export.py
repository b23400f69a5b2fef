"""`tinyseg export`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyseg.cli import console
from tinyseg.cli.checking import check_file, explained
from tinyseg.cli.fresh import (
    Classes,
    From,
    InChannels,
    Seed,
    Size,
    SubjectName,
    TaskOf,
    resolve_subject,
)
from tinyseg.cli.options import Json, Quiet, Runs, Set, Verbose
from tinyseg.errors import UsageError
from tinyseg.runs.records import Accuracy, ArtifactRecord, ExportDocument

_FORMATS = ("onnx", "tflite")


def export(
    subject: SubjectName = None,
    own: From = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Formats, separated by commas: onnx, tflite.",
            show_default="onnx,tflite; with --check, as the file says",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to write into, instead of the run's own."),
    ] = None,
    accuracy: Annotated[
        bool,
        typer.Option(
            "--accuracy/--no-accuracy", help="Compare scores on all test pictures of the run."
        ),
    ] = True,
    check: Annotated[
        Path | None,
        typer.Option(
            "--check",
            metavar="FILE",
            help="Compare a file that came from anywhere with its run, and write nothing.",
            show_default=False,
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help="Of --check's file.",
            show_default="the one it lies in or was made from",
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Walk the network's stages: which is the first that differs?"
        ),
    ] = False,
    size: Size = None,
    classes: Classes = None,
    in_channels: InChannels = None,
    task: TaskOf = None,
    settings: Set = [],  # noqa: B006  (typer copies it)
    seed: Seed = None,
    runs: Runs = Path("runs"),
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Exports a run, or a network with fresh weights, and proves what the files do.

    Every file is run by its own runtime on test pictures and compared with
    PyTorch: by logits, probabilities, labels that flip, and scores. A file that
    fails keeps the ending .failed, and the exit code is 3. A format that fails
    hinders no other; the run keeps the reason, which tinyseg compare shows.

    With --check FILE nothing is exported: the file is run and compared the same
    way, wherever it came from.

    Example: tinyseg export runs/ul-vm-unet-phantom-1 --format onnx,tflite
    """
    from tinyseg.exporters import export_all

    names = _names(formats) if formats is not None else []
    named = _named(subject, check, run, out)
    resolve = partial(
        resolve_subject,
        own=own,
        task=task,
        runs=runs,
        size=size,
        classes=classes,
        in_channels=in_channels,
        settings=settings,
        seed=seed,
    )
    if check:
        shaped = any(each is not None for each in (size, classes, in_channels, task, seed))
        if not (named or own) and (shaped or settings):
            raise UsageError(
                f"The run of {check} has its own shape.", "Options of it go with --from."
            )
        of = resolve(named) if named or own else None
        check_file(check, of, formats=names, runs=runs, accuracy=accuracy, explain=explain)
        return
    resolved = resolve(named)
    with console.progress() as progress:
        outcome = export_all(
            resolved,
            names or _FORMATS,
            out=out,
            check_accuracy=accuracy,
            explain=explain,
            progress=progress,
        )
    console.emit(outcome.document, _view(outcome.document))
    if resolved.run and not resolved.data:
        console.say("Compared on synthetic pictures and without scores: the run has no data.")
    good = [record for record in outcome.artifacts if record.parity and record.parity.passed]
    if good:
        console.say(f"Written to {Path(good[0].path).parent}, each with its manifest.")
    outcome.require()
    console.say(f"Next: tinyseg profile {subject if resolved.run else good[0].path}")


def _named(
    subject: str | None, check: Path | None, run: str | None, out: Path | None
) -> str | None:
    """The subject, or the run of a file to check.

    Raises:
        UsageError: options of both.
    """
    if not check and run:
        raise UsageError(
            "--run says which run --check's file is of.", f"Type: tinyseg export {run}"
        )
    if check and (subject or out):
        given = subject or f"--out {out}"
        raise UsageError(f"--check writes nothing, so {given} cannot be meant.", "Use --run RUN.")
    return run if check else subject


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"--format {text} should name formats, separated by commas.")
    return list(dict.fromkeys(names))


def _view(document: ExportDocument) -> RenderableType:
    """The table, if there are files, and what became of the other formats."""
    lines = [
        Text(f"{failure.format} failed ({failure.stage}): {failure.reason}", "red")
        for failure in document.failures
        if failure.stage != "parity"
    ]
    walks = [
        Group(Path(record.path).name, explained(record.explanation))
        for record in document.artifacts
        if record.explanation
    ]
    return Group(*[view(document.artifacts)] * bool(document.artifacts), *lines, *walks)


def view(records: list[ArtifactRecord]) -> RenderableType:
    """The table of exported files."""
    table = Table(title="Artifacts", title_justify="left", caption_justify="left", box=box.SIMPLE)
    table.padding = 0
    table.add_column("file", overflow="fold")
    measures = {record.accuracy.measure for record in records if record.accuracy}
    named = "top-1" if measures == {"top1"} else "Dice"
    scored = (named, "run's", "gap") if measures else ()
    for column in ("KB", "nodes", "s", "max diff", "flips", *scored):
        table.add_column(column, justify="right")
    for record in records:
        table.add_row(*_row(record))
    if measures:
        over = "volumes" if measures == {"per_volume"} else "images"
        table.caption = f"{named}: mean over {over} of the test part."
    return table


def _row(record: ArtifactRecord) -> list[str]:
    parity, accuracy = record.parity, record.accuracy
    name = Path(record.path).name
    passed = parity is None or parity.passed
    return [
        name if passed else f"[bold red]{name}[/]",
        f"{record.bytes / 1000:,.0f}",
        f"{record.nodes:,}",
        f"{record.seconds:.0f}",
        f"{parity.max_abs:.1e}" if parity else "",
        f"{parity.flips:.3%}" if parity else "",
        *(_scores(accuracy) if accuracy else []),
    ]


def _scores(accuracy: Accuracy) -> list[str]:
    return [*(f"{score:.4f}" for score in accuracy.scores), f"{accuracy.difference:+.1e}"]
