"""The table of `benchmarks.export`, readable at 100 columns."""

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from benchmarks.figures import three_digits
from benchmarks.process import conditions

Document = dict[str, Any]


def tables(document: Document) -> Iterator[Table]:
    """Views of a document."""
    size = document["size"]
    runtimes = ", ".join(f"{name} {version}" for name, version in document["runtimes"].items())
    table = Table(
        title=f"{document['network']}, {size}x{size}, batch 1, one thread",
        caption=(
            f"Times faster than {document['rival']}: median of the rounds' ratios, 95 % interval. "
            f"Difference of probabilities from it. {conditions(document)} {runtimes}."
        ),
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("")
    for name in ("KB", "nodes", "export s", "ms", "times faster", "largest difference"):
        table.add_column(name, justify="right")
    for row in document["results"]:
        low, high = row["ratio_ci95"]
        table.add_row(
            row["name"],
            *_file(row),
            three_digits(1e3 * row["seconds"]),
            f"{row['ratio']:.2f} ({low:.2f}-{high:.2f})",
            f"{row['max_abs']:.1e}",
        )
    yield table


def _file(row: Document) -> tuple[str, str, str]:
    if "bytes" not in row:
        return "", "", ""
    return f"{row['bytes'] / 1e3:.0f}", str(row["nodes"]), f"{row['export_seconds']:.0f}"
