"""`tinyseg models`."""

import json
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyseg.cli import console
from tinyseg.cli.options import Json, Quiet, Verbose
from tinyseg.runs.records import ModelsDocument, NetworkListed, PaperListed

_PAPER = "Paper: Table I of 'Mamba vs SOTA for Vision Tasks', as printed"


def models(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A network to show whole.")
    ] = None,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Lists the networks, with the paper's Table I beside them, or shows one of them whole.

    Example: tinyseg models ul-vm-unet
    """
    from tinyseg.networks.listing import list_networks

    document = list_networks([name] if name else None)
    console.emit(document, _whole(document.networks[0]) if name else _table(document))


def _table(document: ModelsDocument) -> RenderableType:
    table = Table()
    table.add_column("network", no_wrap=True)
    table.add_column("family", overflow="fold")
    table.add_column("task", no_wrap=True)
    table.add_column("parameters", justify="right", no_wrap=True)
    table.add_column("paper\nM", justify="right", no_wrap=True)
    table.add_column("paper\nDice", justify="right", no_wrap=True)
    for network in document.networks:
        figures = _printed(network.paper) if network.paper else ("", "")
        table.add_row(
            network.name, network.family, network.task, f"{network.parameters:,}", *figures
        )
    remarks = [
        f"* {network.name}: {network.paper.remark}"
        for network in document.networks
        if network.paper and network.paper.remark
    ]
    return Group(table, f"{_counted(document.networks)}. {_PAPER}.", *map(Text, remarks))


def _whole(network: NetworkListed) -> RenderableType:
    table = Table(title=network.name, title_justify="left", show_header=False)
    table.add_row("family", network.family)
    table.add_row("task", network.task)
    table.add_row(
        "parameters", f"{network.parameters:,} for three channels and {_classes(network.classes)}"
    )
    paper = network.paper
    if paper:
        parameters, dice = (figure.strip() for figure in _printed(paper))
        table.add_row("paper", f"{parameters} M, Dice {dice}")
    if network.arguments:
        table.add_section()
        for argument, value in network.arguments.items():
            text = value if isinstance(value, str) else json.dumps(value)
            table.add_row(f"--set {argument}", Text(text))
    notes = [f"* {paper.remark}"] if paper and paper.remark else []
    if network.note:
        notes.append(network.note)
    return Group(table, *([f"{_PAPER}."] if paper else []), *map(Text, notes))


def _counted(networks: list[NetworkListed]) -> str:
    kinds = sorted({(network.task, network.classes) for network in networks}, reverse=True)
    each = ", ".join(f"{_classes(classes)} ({task})" for task, classes in kinds)
    return f"Parameters: three channels, {each}"


def _classes(count: int) -> str:
    return "one class" if count == 1 else f"{count} classes"


def _printed(paper: PaperListed) -> tuple[str, str]:
    """Millions and Dice, with a sign behind each that has a remark."""

    def sign(figure: str) -> str:
        return "*" if paper.remark and paper.remark_on in (None, figure) else " "

    return (
        f"{paper.parameters_m:g}{sign('parameters_m')}",
        f"{paper.dice:g}{sign('dice')}",
    )
