"""In which order rows stand."""

from collections.abc import Iterable
from typing import Any

from tinyseg.comparison.columns import Column, column_named

_DEFAULT = ("data", "split", "size", "dice", "top1", "run")


def in_order(
    rows: Iterable[dict[str, Any]], sort: str | None, columns: dict[str, Column]
) -> list[dict[str, Any]]:
    """Sorts rows by a column, the best first and missing ones last.

    By default rows of the same data, split and size stand together, the best score first.

    Raises:
        UsageError: there is no such column.
    """
    chosen = [column_named(name, columns) for name in ([sort] if sort else _DEFAULT)]
    return sorted(rows, key=lambda row: [_rank(row[column.name], column) for column in chosen])


def _rank(value: Any, column: Column) -> tuple[bool, Any]:
    if value is None:
        return True, 0
    return False, -value if column.best == "high" else value
