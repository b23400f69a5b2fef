"""The comparison as a table in the terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from tinyseg.comparison.columns import Column, column_named, columns_of
from tinyseg.comparison.notes import notes
from tinyseg.comparison.reading import Row, score_of
from tinyseg.runs.records import CompareDocument

_DICE = ("dice", "dice_low", "dice_high")
_TOP = ("top1", "top1_low", "top1_high")
_DIFFERENCE = ("difference", "difference_low", "difference_high")
_WIDE_FROM = 120  # characters


class ComparisonTable:
    """Renders rows with their notes, more columns where there is room.

    Args:
        document: the comparison.
        columns: names of the columns to show, instead of those that fit.

    Raises:
        UsageError: there is no such column.
    """

    def __init__(self, document: CompareDocument, columns: Sequence[str] | None = None) -> None:
        self._rows = document.rows
        self._known = columns_of(self._rows)
        self._chosen = [column_named(name, self._known) for name in columns] if columns else None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yields the table for the width at hand, then the notes."""
        if not self._rows:
            yield Text("No run meets all conditions.")
            return
        columns = self._chosen or self._fitting(options.max_width)
        shown = [column.name for column in columns]
        table = Table(box=box.SIMPLE, padding=0)
        table.add_column("")
        for column in columns:
            table.add_column(
                column.header, justify="right" if column.best else "left", overflow="fold"
            )
        for row in self._rows:
            cells = (_cell(row, column) for column in columns)
            table.add_row("★" if row["pareto"] else "", *cells)
        yield table
        yield from (Text(note, "dim") for note in notes(self._rows, shown))

    def _fitting(self, width: int) -> list[Column]:
        wide = width >= _WIDE_FROM
        masks, pictures = (
            any(row["task"] in tasks for row in self._rows)
            for tasks in (("segmentation", None), ("classification",))
        )
        names = ["run", "parameters", *(["macs", "size"] if wide else [])]
        names += [*_DICE * masks, *_TOP * pictures]
        if any(row["against"] for row in self._rows):
            names += _DIFFERENCE
        elif not wide:
            names += ["onnx_kb", "onnx_ms", "tflite_kb", "tflite_ms"]
        if wide:
            names += [*["dice_image"] * masks, *["top5"] * pictures]
            names += ["onnx_kb", "onnx_ms", "onnx_peak_mb", "tflite_kb", "tflite_ms"]
            names += ["torch_ms", "split", "epochs", "data"]
        return [self._known[name] for name in names]


def _cell(row: Row, column: Column) -> Text:
    value = row[column.name]
    name, _, what = column.name.rpartition("_")
    if column.name == "run":
        return _named(row)
    if value is None and what == "kb" and row[f"{name}_state"] == "failed":
        return Text("failed", "red")
    if value is None:
        return Text("")
    doubt = "~" if what == "ms" and row[f"{name}_trusted"] is False else ""
    return Text(doubt + column.show(value), "bold" if row["pareto"] else "")


def _named(row: Row) -> Text:
    """A run's name, and below it why it has no score, where it has none."""
    name = Text(row["run"], "bold" if row["pareto"] else "")
    if score_of(row) is None:
        state = "not evaluated" if row["state"] == "finished" else row["state"]
        name.append(f"\n{state}", "yellow")
    return name
