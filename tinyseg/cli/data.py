"""`tinyseg data`."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyseg.cli import console, described
from tinyseg.cli.options import DATA, Json, Quiet, Verbose
from tinyseg.errors import ExitCode
from tinyseg.runs.records import CheckDocument, Protocol

data = typer.Typer(no_args_is_help=True, help="Fetch, describe, check and make datasets.")

_DEFAULTS = Protocol()
_COLOURS = {"error": "bold red", "warning": "yellow", "note": "cyan"}

Source = Annotated[
    str,
    typer.Argument(metavar="DATA", help=DATA),
]


@data.command()
def describe(
    source: Source,
    split: Annotated[
        Literal["patient", "image"], typer.Option("--split", help="What a split keeps whole.")
    ] = _DEFAULTS.split,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the split.")] = _DEFAULTS.seed,
    validation_share: Annotated[
        float, typer.Option("--validation-share", help="Of the groups or images.")
    ] = _DEFAULTS.validation_share,
    test_share: Annotated[
        float, typer.Option("--test-share", help="Of the groups or images.")
    ] = _DEFAULTS.test_share,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            help="Draw images with and without foreground, or of each class, by part: a .png, "
            ".svg or .pdf.",
        ),
    ] = None,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Tells what a dataset holds, and what a split makes of it.

    The split is the one that tinyseg train makes from the same options; a test
    part that the dataset's makers chose stays what it is. With --split image, slices
    of one patient come to stand on both sides: how much that gives away is
    shown too.

    Example: tinyseg data describe phantom --plot figure-1.png
    """
    from tinyseg.comparison.pictures import check_suffix
    from tinyseg.data import describe_data, open_dataset, plot_parts

    if plot is not None:
        check_suffix(plot)
    dataset = open_dataset(source)
    with console.progress() as progress:
        document = describe_data(
            dataset,
            by=split,
            seed=seed,
            validation_share=validation_share,
            test_share=test_share,
            progress=progress,
        )
    if plot is not None:
        plot_parts(document, plot)
    console.emit(document, described.view(document))
    if plot is not None:
        console.say(f"Drawn to {plot}.")


@data.command()
def check(
    source: Source, json_: Json = False, quiet: Quiet = False, verbose: Verbose = False
) -> None:
    """Reads every file and lists all problems at once.

    Errors keep a picture from being used, and make the exit code 1; warnings
    should be looked at; notes may explain what is seen later.

    Example: tinyseg data check my-pictures
    """
    from tinyseg.data import check_data

    with console.progress() as progress:
        document = check_data(source, progress)
    console.emit(document, _problems(document))
    if any(problem.severity == "error" for problem in document.problems):
        raise typer.Exit(ExitCode.FAILED)


@data.command()
def fetch(
    name: Annotated[
        Literal["cifar10", "cifar100", "lgg"],
        typer.Argument(
            metavar="NAME",
            help="Which dataset: lgg, from Kaggle; cifar10 or cifar100, from their makers.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder to bring it to, missing or empty.",
            show_default="the downloader's own for lgg, here and called as NAME for the others",
        ),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Downloads a public dataset, after telling its licence.

    Example: tinyseg data fetch cifar100 --out cifar100
    """
    from tinyseg.data.fetch import CIFAR_ARCHIVES, LGG_TERMS, fetch_cifar, fetch_lgg

    if name == "lgg":
        console.say(Text(LGG_TERMS))
        folder = fetch_lgg(out)
    else:
        console.say(Text(CIFAR_ARCHIVES[name].terms))
        with console.progress() as progress:
            folder = fetch_cifar(CIFAR_ARCHIVES[name], out or Path(name), progress)
    console.output.print(str(folder), highlight=False, soft_wrap=True)
    console.say(f"Next: tinyseg data describe {folder}")


@data.command()
def make(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to; missing or empty.")],
    patients: Annotated[
        int, typer.Option("--patients", min=1, max=999, help="Volumes to make.")
    ] = 40,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of everything random.")] = 0,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Writes the phantom as TIFF files in the layout of the LGG set.

    Example: tinyseg data make phantom-files --patients 10
    """
    from tinyseg.data.make import make_phantom

    with console.progress() as progress:
        made = make_phantom(folder, patients=patients, seed=seed, progress=progress)
    console.output.print(str(folder), highlight=False, soft_wrap=True)
    console.say(f"{len(made.keys):,} slices of {patients:,} synthetic patients.")
    console.say(f"Next: tinyseg train --data {folder}")


def _problems(document: CheckDocument) -> RenderableType:
    counts = {
        kind: sum(problem.severity == kind for problem in document.problems) for kind in _COLOURS
    }
    total = ", ".join(f"{count:,} {kind}{'s' * (count != 1)}" for kind, count in counts.items())
    summary = Text(f"{document.source}: {document.images:,} images; {total}.")
    if not document.problems:
        return summary
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for problem in document.problems:
        line = Text(_shortened(problem.where, document.source), style="bold")
        line.append(f" {_shortened(problem.what, document.source)}", style="not bold")
        table.add_row(Text(problem.severity, style=_COLOURS[problem.severity]), line)
    return Group(table, summary)


def _shortened(text: str, source: str) -> str:
    """A sentence with paths told from the dataset's folder."""
    folder = source.partition(":")[2] or source
    return text.replace(f"{folder.rstrip('/')}/", "")
