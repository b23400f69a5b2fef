"""Options that several commands share, each said once."""

from pathlib import Path
from typing import Annotated

import typer

from tinyseg.cli import console


def _set_json(value: bool) -> bool:
    console.settings.json = value
    return value


def _set_quiet(value: bool) -> bool:
    console.settings.quiet = value
    return value


def _set_verbose(value: bool) -> bool:
    console.settings.verbose = value
    return value


Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="One JSON document on standard output, everything else on standard error.",
        callback=_set_json,
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Only results and errors.", callback=_set_quiet)
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Tracebacks of errors too.", callback=_set_verbose),
]
Runs = Annotated[Path, typer.Option("--runs", help="Folder that holds the runs.")]
DATA = "A folder (its kind is recognised), 'phantom' for synthetic volumes, or KIND:FOLDER."
Set = Annotated[
    list[str],
    typer.Option(
        "--set", metavar="NAME=VALUE", help="An argument of the network; may be repeated."
    ),
]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="Threads for arithmetic.")]
Threshold = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        min=0.0,
        max=1.0,
        show_default="the run's",
        help="A pixel is foreground from this probability on.",
    ),
]
RunName = Annotated[
    str | None, typer.Option("--name", help="Of the run's folder.", show_default="numbered")
]
