"""Tables as a terminal shows them."""

import io
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table


def shown(tables: Iterable[Table], width: int) -> str:
    """The text, without what fills lines up."""
    console = Console(width=width, file=io.StringIO(), legacy_windows=False)
    for table in tables:
        console.print(table)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())
