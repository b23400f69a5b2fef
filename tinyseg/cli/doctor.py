"""`tinyseg doctor`."""

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from tinyseg.cli import console
from tinyseg.cli.options import Json, Quiet, Verbose
from tinyseg.errors import ExitCode
from tinyseg.runs.records import DoctorDocument

_STYLES = {"ok": "green", "absent": "yellow", "broken": "bold red"}


def doctor(json_: Json = False, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Says what is installed here, what is missing, and how to get it.

    Fails where something installed is broken; what is merely absent is no failure.

    Example: tinyseg doctor
    """
    from tinyseg.cli.installation import examine

    document = examine()
    console.emit(document, _view(document))
    if any(finding.state == "broken" for finding in document.findings):
        raise typer.Exit(ExitCode.FAILED)


def _view(document: DoctorDocument) -> Group:
    table = Table()
    table.add_column("part", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("finding")
    for finding in document.findings:
        says = f"{finding.version}. {finding.says}" if finding.version else finding.says
        state = Text(finding.state, _STYLES[finding.state])
        table.add_row(Text(finding.part), state, Text(says))
    chosen = ", ".join(f"{device}: {backend}" for device, backend in document.scan.items())
    return Group(table, Text(f"The scan that 'auto' takes on {chosen}.") if chosen else Text())
