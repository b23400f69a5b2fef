"""Tables of `benchmarks.training`, readable at 80 columns."""

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from benchmarks.figures import three_digits
from benchmarks.process import conditions

Document = dict[str, Any]


def tables(document: Document) -> Iterator[Table]:
    """Views of a document."""
    yield _steps(document)
    yield _parts(document["parts"])


def _steps(document: Document) -> Table:
    size = document["size"]
    table = Table(
        title=f"Training step of {document['network']}, batch {document['batch']}, {size}x{size}",
        caption=conditions(document),
        title_justify="left",
        caption_justify="left",
    )
    for name in ("scan", "layout"):
        table.add_column(name)
    for name in ("ms", "times faster"):
        table.add_column(name, justify="right")
    for row in document["results"]:
        milliseconds = three_digits(1e3 * row["seconds"])
        table.add_row(row["backend"], row["layout"], milliseconds, three_digits(row["ratio"]))
    return table


def _parts(profiles: list[Document]) -> Table:
    table = Table(
        title="Where a step's time goes: ms, and share",
        caption=(
            "Self CPU time under PyTorch's profiler, forward and backward; mambapy in NCHW, the "
            "others in channels_last."
        ),
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("work")
    for each in profiles:
        table.add_column(each["backend"], justify="right")
    totals = [sum(each["seconds"].values()) for each in profiles]
    for kind in profiles[0]["seconds"]:
        seconds = [each["seconds"][kind] for each in profiles]
        cells = zip(seconds, totals, strict=True)
        table.add_row(kind, *(f"{1e3 * part:.1f} {part / whole:>4.0%}" for part, whole in cells))
    table.add_section()
    table.add_row("all", *(f"{1e3 * whole:.1f} 100%" for whole in totals))
    return table
