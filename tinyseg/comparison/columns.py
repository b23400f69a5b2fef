"""What a row of the comparison can hold: keys, headers, how values look, what is best."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tinyseg.errors import UsageError

#: Timings exist for PyTorch and for each format.
TORCH = "torch"
#: Formats that always have columns; others get theirs when a run has such an artifact.
FORMATS = ("onnx", "tflite")


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: its key in a row, and its name on the command line.
        header: what stands above it, on one or two lines.
        show: how a value looks; never asked about a missing one.
        best: of numbers, which end stands first when sorted; text stands in alphabetical order.
    """

    name: str
    header: str
    show: Callable[[Any], str] = str
    best: Literal["high", "low"] | None = None


def _count(value: int) -> str:
    return f"{value:,}"


def _three(value: float) -> str:
    return f"{value:.3f}"


def _signed(value: float) -> str:
    return f"{value:+.3f}"


def _millions(value: int) -> str:
    return f"{value / 1e6:,.1f}"


def _figures(value: float) -> str:
    """Three significant figures, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"


def source_name(value: str) -> str:
    """A dataset's source; of a folder, its last part alone."""
    return Path(value).name if "/" in value else value


_PLAIN = (
    Column("run", "run"),
    Column("network", "network"),
    Column("parameters", "para-\nmeters", _count, "low"),
    Column("macs", "M MACs", _millions, "low"),
    Column("size", "size", best="low"),
    Column("task", "task"),
    Column("measure", "score is"),
    Column("dice", "Dice", _three, "high"),
    Column("dice_low", "95 %\nfrom", _three, "high"),
    Column("dice_high", "95 %\nto", _three, "high"),
    Column("dice_image", "Dice\nimage", _three, "high"),
    Column("dice_pooled", "Dice\npooled", _three, "high"),
    Column("top1", "top-1", _three, "high"),
    Column("top1_low", "95 %\nfrom", _three, "high"),
    Column("top1_high", "95 %\nto", _three, "high"),
    Column("top5", "top-5", _three, "high"),
    Column("macro_f1", "macro\nF1", _three, "high"),
    Column("split", "split"),
    Column("epochs", "epochs", best="low"),
    Column("data", "data", source_name),
    Column("seed", "seed", best="low"),
    Column("state", "state"),
    Column("problem", "problem"),
    Column("pareto", "Pareto", _yes_no, "high"),
    Column("against", "against"),
    Column("difference", "differ-\nence", _signed, "high"),
    Column("difference_low", "95 %\nfrom", _signed, "high"),
    Column("difference_high", "95 %\nto", _signed, "high"),
)

_TITLES = {"onnx": "ONNX", "tflite": "TFLite", TORCH: "torch"}


def title_of(label: str) -> str:
    """What a format, or a variant of it, is called above its columns."""
    format, _, variant = label.partition("-")
    if format not in _TITLES:
        return label
    return f"{_TITLES[format]} {variant}".strip()


def every_column(formats: Sequence[str] = FORMATS) -> dict[str, Column]:
    """All columns by name, those of the formats' files and timings included."""
    columns = list(_PLAIN)
    for name in formats:
        title = title_of(name)
        columns += [
            Column(f"{name}_kb", f"{title}\nKB", _figures, "low"),
            Column(f"{name}_state", f"{title}\nparity"),
            Column(f"{name}_problem", f"{title}\nproblem"),
            Column(f"{name}_dice", f"{title}\nDice", _three, "high"),
            Column(f"{name}_top1", f"{title}\ntop-1", _three, "high"),
        ]
    for name in (*formats, TORCH):
        title = title_of(name)
        columns += [
            Column(f"{name}_ms", f"{title}\nms", _figures, "low"),
            Column(f"{name}_peak_mb", f"{title}\nMB rise", _figures, "low"),
            Column(f"{name}_threads", f"{title}\nthreads", best="low"),
            Column(f"{name}_machine", f"{title}\nmachine"),
            Column(f"{name}_trusted", f"{title}\ntrusted", _yes_no, "high"),
        ]
    return {column.name: column for column in columns}


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """All columns by name that rows have."""
    keys = rows[0] if rows else ()
    formats = [key.removesuffix("_kb") for key in keys if key.endswith("_kb")]
    return every_column(formats or FORMATS)


def column_named(name: str, columns: dict[str, Column]) -> Column:
    """A column by its name.

    Raises:
        UsageError: there is none; the nearest is suggested.
    """
    if name in columns:
        return columns[name]
    near = difflib.get_close_matches(name, columns, n=1, cutoff=0.5)
    hint = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(columns)}."
    raise UsageError(f"No column is called '{name}'.", hint)
