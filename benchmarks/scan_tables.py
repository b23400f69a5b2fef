"""Tables of `benchmarks.scan`, readable at 80 columns."""

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from benchmarks.contestants import RIVALS
from benchmarks.figures import three_digits
from benchmarks.problems import PHASES, STATES
from benchmarks.process import conditions

Document = dict[str, Any]


def tables(document: Document) -> Iterator[Table]:
    """Views of a document, of ``--quick`` or of the whole benchmark."""
    if "times" not in document:
        yield _quick(document)
        return
    for phase in PHASES:
        yield _phase(document, phase)
    yield _lengths(document["lengths"])
    if document["threaded"]:
        yield _threads(document["threaded"])
    if document["memory"] is not None:
        yield _memory(document["memory"])


def _quick(document: Document) -> Table:
    results = document["results"]
    shape = ", ".join(map(str, results[0]["shape"]))
    table = _table(f"Times faster, at (batch, channels, length) = ({shape})", "backend", "phase")
    for rival in RIVALS:
        table.add_column(f"than {rival}", justify="right")
    by_rival = [[r for r in results if r["rival"] == rival] for rival in RIVALS]
    for row in zip(*by_rival, strict=True):
        table.add_row(row[0]["backend"], row[0]["phase"], *(three_digits(r["ratio"]) for r in row))
    return table


def _phase(document: Document, phase: str) -> Table:
    shapes = document["shapes"]
    table = _table(f"Scan, {phase}: how many times faster than mambapy", "scan")
    for label, shape in shapes.items():
        table.add_column("\n".join([label, *map(str, shape)]), justify="right")
    seconds: dict[str, list[float]] = {}
    for row in document["times"]:
        if row["phase"] == phase:
            seconds.setdefault(row["scan"], []).append(row["seconds"])
    first = seconds["mambapy"]
    for name, times in seconds.items():
        if name == "mambapy":
            table.add_row("mambapy, ms", *_milliseconds(times), end_section=True)
        else:
            table.add_row(name, *map(three_digits, map(float.__truediv__, first, times)))
    table.caption = (
        f"Under each label batch, channels and length; {STATES} states. {conditions(document)}"
    )
    return table


def _lengths(rows: list[Document]) -> Table:
    sizes = f"batch {rows[0]['batch']}, {rows[0]['channels']} channels"
    table = _table(f"Forward+backward in ms by length; {sizes}", "scan")
    for length in rows[0]["seconds"]:
        table.add_column(str(length), justify="right")
    table.add_column("power of length:\nfit, last two", justify="right")
    for row in rows:
        powers = f"{row['exponent']:.2f}, {row['exponent_of_last_two']:.2f}"
        table.add_row(row["scan"], *_milliseconds(row["seconds"].values()), powers)
    return table


def _threads(rows: list[Document]) -> Table:
    shape = ", ".join(map(str, rows[0]["shape"]))
    table = _table(f"Wall time in ms by threads; ({shape}), {rows[0]['phase']}", "scan")
    for name in ("1 thread", "2 threads", "times faster"):
        table.add_column(name, justify="right")
    for row in rows:
        seconds = row["seconds"].values()
        table.add_row(row["scan"], *_milliseconds(seconds), three_digits(row["ratio"]))
    return table


def _memory(peaks: dict[str, dict[str, float]]) -> Table:
    table = _table("Peak memory of forward+backward, in state tensors", "scan")
    for label in next(iter(peaks.values())):
        table.add_column(label, justify="right")
    for name, units in peaks.items():
        table.add_row(name, *(f"{value:.2f}" for value in units.values()))
    table.caption = "Above the inputs; the growth from one batch to three."
    return table


def _table(title: str, *left: str) -> Table:
    table = Table(title=title, title_justify="left", caption_justify="left")
    for name in left:
        table.add_column(name)
    return table


def _milliseconds(seconds: Any) -> list[str]:
    return [three_digits(1e3 * each) for each in seconds]
