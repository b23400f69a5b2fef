"""Conditions on rows, such as ``parameters<100000``."""

import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

from tinyseg.comparison.columns import Column, column_named
from tinyseg.errors import UsageError

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_CONDITION = re.compile(r"\s*([\w-]+)\s*(<=|>=|!=|<|>|=)\s*(\S.*?)\s*")


def matching(
    rows: Iterable[dict[str, Any]], conditions: Iterable[str], columns: dict[str, Column]
) -> list[dict[str, Any]]:
    """The rows that meet all conditions; a row with nothing in the column never does.

    Args:
        rows: of the comparison.
        conditions: each a column, one of < <= > >= = !=, and a value. Text is compared for equality
            alone, as it stands in the row or as tables show it; ``yes`` and ``no`` are 1 and 0.
        columns: all columns by name.

    Raises:
        UsageError: a condition cannot be read, or its value is no number where it must be.
    """
    tests = [_test(condition, columns) for condition in conditions]
    return [row for row in rows if all(test(row) for test in tests)]


def _test(condition: str, columns: dict[str, Column]) -> Callable[[dict[str, Any]], bool]:
    match = _CONDITION.fullmatch(condition)
    if not match:
        raise UsageError(
            f"--where '{condition}' should be a column, a comparison and a value.",
            "Such as 'parameters<100000' or 'network=unet'.",
        )
    name, sign, text = match.groups()
    column = column_named(name, columns)
    if column.best:
        wanted, compare = _number(text, condition), _OPERATORS[sign]
        return lambda row: row[name] is not None and compare(row[name], wanted)
    if sign not in ("=", "!="):
        raise UsageError(f"--where '{condition}': {name} is text, which is only = or !=.")
    return lambda row: (
        row[name] is not None and (text in (row[name], column.show(row[name]))) == (sign == "=")
    )


def _number(text: str, condition: str) -> float:
    if text.lower() in ("yes", "no"):
        return text.lower() == "yes"
    try:
        return float(text.replace(",", ""))
    except ValueError:
        raise UsageError(f"--where '{condition}': {text} should be a number.") from None
