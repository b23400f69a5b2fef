"""`tinyseg models`."""

from rich.table import Table

from tinyseg.cli import console
from tinyseg.cli.options import Json, Quiet, Verbose
from tinyseg.runs.records import ModelsDocument


def models(json_: Json = False, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Lists the networks, with the paper's Table I beside them.

    Example: tinyseg models
    """
    from tinyseg.networks.listing import list_networks

    document = list_networks()
    console.emit(document, _table(document))


def _table(document: ModelsDocument) -> Table:
    table = Table(caption="Paper: Table I of 'Mamba vs SOTA for Vision Tasks', as printed.")
    for column in ("network", "family", "task"):
        table.add_column(column)
    for column in ("parameters", "paper, M", "paper's Dice"):
        table.add_column(column, justify="right")
    for network in document.networks:
        paper = network.paper
        printed = (f"{paper['parameters_m']:g}", f"{paper['dice']:g}") if paper else ("", "")
        table.add_row(
            network.name, network.family, network.task, f"{network.parameters:,}", *printed
        )
    return table
