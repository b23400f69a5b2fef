"""`tinyseg predict`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tinyseg.cli import console
from tinyseg.cli.options import Json, Quiet, Runs, Threshold, Verbose
from tinyseg.cli.predictions import view_classes, view_masks
from tinyseg.cli.trained import chosen_threshold, pictures_a_call, resolve_trained
from tinyseg.errors import TinysegError, UsageError
from tinyseg.runs.records import ClassifyDocument, PredictDocument, Problem

if TYPE_CHECKING:
    from tinyseg.exporters import Subject

_TABLE = "predictions.csv"


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
    """Writes a mask for each picture, or says what each picture shows.

    A mask is a PNG of its picture's size: 0 and 255, or of several classes the
    labels, as indices of a palette. Masks are called as their pictures, with
    the ending .png, in the same folders below --out. Of a folder, files
    NAME_mask beside a picture NAME and folders masks beside images are left
    out. A network that classifies writes predictions.csv, a row a picture.

    Example: tinyseg predict runs/ul-vm-unet-lgg-1 slices --out masks --overlay
    """
    resolved = resolve_trained(subject, runs)
    if overlay and resolved.task == "classification":
        raise UsageError(
            f"--overlay draws masks, and {resolved.name} classifies whole pictures.",
            "Leave it out.",
        )
    chosen = chosen_threshold(resolved, threshold)
    if resolved.task == "classification":
        _classify(resolved, pictures, out)
    else:
        _segment(resolved, pictures, out, overlay, chosen)


def _segment(
    subject: "Subject", pictures: list[Path], out: Path, overlay: bool, threshold: float
) -> None:
    from tinyseg.evaluation import find_pictures, predict_pictures

    files = find_pictures(pictures, out, overlay=overlay)
    with console.progress() as progress:
        done, problems = predict_pictures(
            subject.predictor(),
            files,
            subject.preprocessing,
            classes=subject.classes,
            threshold=threshold,
            batch_size=pictures_a_call(subject),
            progress=progress,
        )
    several = len(subject.classes) > 1
    document = PredictDocument(
        subject=subject.name,
        classes=list(subject.classes[several:]),
        threshold=None if several else threshold,
        pictures=done,
        problems=problems,
    )
    console.emit(document, view_masks(document))
    if done:
        console.say(Text(f"Written to {out}."))
    _require_all(problems, len(files))


def _classify(subject: "Subject", pictures: list[Path], out: Path) -> None:
    from tinyseg.evaluation import classify_pictures, list_pictures, write_classified

    paths = list_pictures(pictures, out)
    with console.progress() as progress:
        done, problems = classify_pictures(
            subject.predictor(),
            paths,
            subject.preprocessing,
            classes=subject.classes,
            batch_size=pictures_a_call(subject),
            progress=progress,
        )
    table = out / _TABLE
    if done:
        write_classified(table, done)
    document = ClassifyDocument(
        subject=subject.name, table=str(table) if done else None, pictures=done, problems=problems
    )
    console.emit(document, view_classes(document))
    if done:
        console.say(Text(f"Written to {table}."))
    _require_all(problems, len(paths))


def _require_all(problems: Sequence[Problem], wanted: int) -> None:
    if problems:
        listed = "".join(f"\n  {problem.what}" for problem in problems)
        raise TinysegError(
            f"{len(problems)} of {wanted} pictures could not be read:{listed}\n"
            "The others are done.",
            "Mend or remove these files.",
        )
