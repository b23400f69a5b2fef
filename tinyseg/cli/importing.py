"""`tinyseg import`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from tinyseg.cli import console
from tinyseg.cli.options import Json, Quiet, RunName, Runs, Set, Verbose
from tinyseg.runs.records import ImportDocument, Origin


def import_weights(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Weights: .pth, .pt or .safetensors.")
    ],
    model: Annotated[str, typer.Option("--model", help="A network's name; see tinyseg models.")],
    origin: Annotated[
        Origin,
        typer.Option(
            "--origin",
            help="The code that trained them: UltraLight VM-UNet's own fed pictures from 0 to 255, "
            "the paper's from 0 to 1 in BGR; plain is from 0 to 1 in RGB.",
        ),
    ],
    settings: Set = [],  # noqa: B006  (typer copies it)
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            min=8,
            show_default="256, or 32 to classify",
            help="Side that pictures are resized to, pixels.",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes", help="Their names, separated by commas.", show_default="foreground"
        ),
    ] = None,
    name: RunName = None,
    runs: Runs = Path("runs"),
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Makes a finished run of weights that other code trained.

    The names and shapes of the weights must be the network's; what DataParallel,
    checkpoints of a whole training and U-Mamba's blocks put around or beside
    them is taken off. No code in the file is run.

    Example: tinyseg import best.pth --model ul-vm-unet --origin ultralight-vm-unet
    """
    from tinyseg.networks import import_run, parse_arguments

    run = import_run(
        file,
        model,
        origin,
        arguments=parse_arguments(model, settings),
        classes=[word.strip() for word in classes.split(",")] if classes else None,
        size=size,
        runs=runs,
        name=name,
    )
    record = run.record
    assert record.imported
    document = ImportDocument(
        run=str(run.path),
        network=record.network,
        arguments=record.arguments,
        parameters=record.parameters,
        preprocessing=record.preprocessing,
        imported=record.imported,
    )
    console.emit(document, _view(document))
    console.say(f"Written to {run.path}.")
    console.say(f"Next: tinyseg evaluate {run.path} --data FOLDER")


def _view(document: ImportDocument) -> RenderableType:
    imported, size = document.imported, document.preprocessing.size
    lines = [
        f"{document.network}: {document.parameters:,} parameters; pictures of {size}x{size} with "
        f"{imported.channels} channel{'s' * (imported.channels != 1)}; "
        f"classes: {', '.join(imported.classes)}."
    ]
    if imported.dropped:
        lines.append(f"{imported.dropped:,} tensors that repeat others were left out.")
    return Group(*map(Text, [*lines, *imported.notes]))
