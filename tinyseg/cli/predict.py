"""`tinyseg predict`."""

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyseg.cli import console
from tinyseg.cli.options import Json, Quiet, Runs, Threshold, Verbose
from tinyseg.cli.trained import pictures_a_call, resolve_trained
from tinyseg.errors import TinysegError
from tinyseg.runs.records import PredictDocument, Problem

_MOST_ROWS = 20


def predict(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="A run, or an exported file.")],
    pictures: Annotated[
        list[Path],
        typer.Argument(
            metavar="PICTURE_OR_FOLDER",
            help="Pictures, and folders searched with all folders below them.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")],
    overlay: Annotated[
        bool,
        typer.Option("--overlay", help="Also write NAME_overlay.png, the mask over its picture."),
    ] = False,
    threshold: Threshold = None,
    runs: Runs = Path("runs"),
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Writes a mask for each picture: a PNG of 0 and 255, of the picture's size.

    Masks are called as their pictures, with the ending .png, in the same
    folders below --out. Of a folder, files NAME_mask beside a picture NAME and
    folders masks beside images are left out.

    Example: tinyseg predict runs/ul-vm-unet-lgg-1 slices --out masks --overlay
    """
    from tinyseg.evaluation import find_pictures, predict_pictures

    resolved = resolve_trained(subject, runs)
    chosen = resolved.threshold if threshold is None else threshold
    files = find_pictures(pictures, out, overlay=overlay)
    with console.progress() as progress:
        done, problems = predict_pictures(
            resolved.predictor(),
            files,
            resolved.preprocessing,
            threshold=chosen,
            batch_size=pictures_a_call(resolved),
            progress=progress,
        )
    document = PredictDocument(
        subject=resolved.name, threshold=chosen, pictures=done, problems=problems
    )
    console.emit(document, _view(document))
    if done:
        console.say(Text(f"Written to {out}."))
    _require_all(problems, len(files))


def _require_all(problems: list[Problem], wanted: int) -> None:
    if problems:
        listed = "".join(f"\n  {problem.what}" for problem in problems)
        raise TinysegError(
            f"{len(problems)} of {wanted} pictures could not be read:{listed}\n"
            "The others are done.",
            "Mend or remove these files.",
        )


def _view(document: PredictDocument) -> RenderableType:
    title = f"{document.subject}, threshold {document.threshold:g}"
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("mask", overflow="fold")
    table.add_column("foreground", justify="right")
    for picture in document.pictures[:_MOST_ROWS]:
        table.add_row(Text(picture.mask), f"{picture.foreground:.2%}")
    more = len(document.pictures) - _MOST_ROWS
    return Group(
        table, *([Text(f"and {more:,} more; --json lists all.", "dim")] if more > 0 else [])
    )
