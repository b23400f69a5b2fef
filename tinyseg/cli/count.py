"""`tinyseg count`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table

from tinyseg.cli import console
from tinyseg.cli.fresh import Classes, From, require_one
from tinyseg.cli.options import Json, Quiet, Runs, Set, Verbose
from tinyseg.errors import UsageError
from tinyseg.runs.records import CountRecord

_OWN_SHAPE = (1, 3, 256, 256)
_EXPLANATION = (
    "Parameters that no output depends on are counted and named as unused.",
    "MACs are multiply-accumulates as fvcore counts them: products of convolutions and linear "
    "layers, 5 an element for affine norms (2 for batch norm), 4 an output element for bilinear "
    "resizing, 1 an input element for adaptive average pooling, 0 for activations, element-wise "
    "operations and for resizing logits to the picture (to_picture), as in published counts.",
    "The scan counts 4 B L D N + 3 B L D of them (batch, length, channels, states): delta A, "
    "(delta x) B, a h + b and C h a state; delta x, D x and the gate a channel.",
    "9 B L D N are FLOPs of a scan that runs as a parallel prefix sum. Many papers add them to "
    "MACs, and many call MACs FLOPs: to match a column, try the lines and their sums.",
)


def count(
    subject: Annotated[
        str | None,
        typer.Argument(metavar="SUBJECT", help="A network's name, or a run.", show_default=False),
    ] = None,
    own: From = None,
    input_shape: Annotated[
        str | None,
        typer.Option(
            "--input",
            show_default="1x3x256x256, or 1x3x32x32 to classify",
            help="Batch x channels x height x width.",
        ),
    ] = None,
    classes: Classes = None,
    settings: Set = [],  # noqa: B006  (typer copies it)
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what counts, here and by other conventions.")
    ] = False,
    runs: Runs = Path("runs"),
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Counts parameters, MACs and FLOPs, stage by stage.

    Example: tinyseg count ul-vm-unet --input 1x3x128x128
    """
    given = _shape(input_shape) if input_shape else None
    named = require_one(subject, own)
    if own and classes:
        raise UsageError(
            f"{own} has its own classes.", "Leave --classes out, or --set what it takes."
        )
    from tinyseg.counting import count as count_network
    from tinyseg.exporters.subject import resolve
    from tinyseg.networks import known, parse_arguments

    arguments = parse_arguments(named, settings) if settings else {}
    if own:
        _count_own(own, given or _OWN_SHAPE, arguments, explain)
        return
    resolved = resolve(named, runs=runs)
    network = known(resolved.network_name)
    shape = given or (1, resolved.in_channels, network.size, network.size)
    if not resolved.run:
        resolved = resolve(
            named,
            runs=runs,
            classes=classes,
            in_channels=shape[1],
            arguments=arguments,
        )
    name, used = resolved.network_name, resolved.arguments
    record = count_network(resolved.network(), shape, name=name, arguments=used)
    console.emit(record, _view(record, explain))


def _count_own(path: str, shape: tuple[int, ...], arguments: dict[str, Any], explain: bool) -> None:
    import torch

    from tinyseg.counting import count as count_network
    from tinyseg.networks import build_own, explained_forward

    network = build_own(path, arguments)
    with explained_forward(path, shape), torch.inference_mode():
        network(torch.zeros(shape))
    record = count_network(network, shape, name=path, arguments=arguments)
    console.emit(record, _view(record, explain))


def _shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(side) for side in text.lower().split("x"))
    except ValueError:
        shape = ()
    if len(shape) != 4 or min(shape) < 1:
        raise UsageError(
            f"--input {text} should be batch x channels x height x width.", "Such as 1x3x256x256."
        )
    return shape


def _view(record: CountRecord, explain: bool) -> RenderableType:
    macs, shape = record.macs, "x".join(str(side) for side in record.input)
    table = Table(title=f"{record.network} at {shape}", title_justify="left", show_footer=True)
    table.add_column("stage", "total")
    table.add_column("parameters", f"{record.parameters:,}", justify="right")
    table.add_column("MACs", f"{macs.total:,}", justify="right")
    table.add_column("share", "100.0 %", justify="right")
    for stage in record.stages:
        share = f"{100 * stage.macs / macs.total:.1f} %" if macs.total else ""
        table.add_row(stage.name, f"{stage.parameters:,}", f"{stage.macs:,}", share)
    lines = [
        f"MACs by fvcore {macs.fvcore:,}, the scan's recurrence {macs.scan:,}; "
        f"FLOPs {record.flops:,}."
    ]
    if record.unused_parameters:
        lines.append(f"{record.unused_parameters:,} parameters are never used.")
    if record.uncounted:
        operators = ", ".join(
            f"{name.removeprefix('aten::')} {calls}" for name, calls in record.uncounted.items()
        )
        lines.append(f"Counted as 0, with their calls: {operators}.")
    if explain:
        return Group(table, *lines, "", _conventions(record), *_EXPLANATION)
    return Group(table, *lines)


def _conventions(record: CountRecord) -> Table:
    table = Table(title="The same network by other conventions", title_justify="left")
    table.add_column("convention")
    table.add_column("figure", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("leaves out")
    for convention in record.conventions:
        figure = f"{convention.value:,}"
        table.add_row(convention.name, figure, convention.unit, convention.leaves_out)
    return table
