"""`tinyseg demo`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinyseg.cli import console
from tinyseg.cli.options import Json, Quiet, Runs, Verbose
from tinyseg.runs.records import Protocol

if TYPE_CHECKING:
    from tinyseg.runs import Run

_DATA = "phantom:patients=24"
_FORMATS = ("onnx", "tflite")
_SIZE = 64  # pixels: small enough for minutes on two cores
_LR = 0.004
#: Two networks of about the same number of parameters.
_NETWORKS: tuple[tuple[str, Mapping[str, int]], ...] = (
    ("ul-vm-unet", {}),
    ("unet", {"base_channels": 5, "depth": 3}),
)


def demo(
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Of each training.")] = 30,
    runs: Runs = Path("runs"),
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Trains, exports, profiles and compares two networks, within minutes on two cores.

    The pictures are synthetic volumes that look like brain MRI with tumours.
    What it does step by step is done as well by train, export, profile and
    compare.

    Example: tinyseg demo
    """
    from tinyseg.comparison import ComparisonTable, compare, plot
    from tinyseg.exporters import require_formats

    require_formats(_FORMATS)
    protocol = Protocol(size=_SIZE, epochs=epochs, lr=_LR, threads=1)
    made = [_make(name, arguments, protocol, runs) for name, arguments in _NETWORKS]
    document = compare(made)
    picture = runs / "demo.png"
    plot(document, picture)
    console.emit(document, ComparisonTable(document))
    console.say(f"The picture: {picture}. The runs: {' and '.join(str(r.path) for r in made)}.")
    console.say(f"Next: tinyseg train --model {_NETWORKS[0][0]} --data FOLDER")


def _make(name: str, arguments: Mapping[str, int], protocol: Protocol, runs: Path) -> "Run":
    """One network all the way from fresh weights to profiles."""
    from tinyseg.exporters import export, resolve
    from tinyseg.profiles import profile
    from tinyseg.training import train

    settings = "".join(f" --set {key}={value}" for key, value in arguments.items())
    console.say(
        f"tinyseg train --model {name}{settings} --data {_DATA} --size {protocol.size} "
        f"--epochs {protocol.epochs} --lr {protocol.lr} --threads {protocol.threads}"
    )
    with console.progress() as progress:
        run = train(name, _DATA, protocol, arguments=arguments, runs=runs, progress=progress)
    subject = resolve(str(run.path))
    console.say(f"tinyseg export {run.path} --format {','.join(_FORMATS)}")
    with console.progress() as progress:
        export(subject, _FORMATS, progress=progress)
    console.say(f"tinyseg profile {run.path}")
    with console.progress() as progress:
        profile(subject, progress=progress)
    return run
