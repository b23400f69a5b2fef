"""Score against parameters: the picture of what a network costs and what it is worth."""

from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from tinyseg.comparison.columns import source_name
from tinyseg.comparison.labels import place_labels
from tinyseg.comparison.reading import Row, interval_of, score_of
from tinyseg.comparison.rows import comparable
from tinyseg.errors import TinysegError, UsageError
from tinyseg.runs import whole_file
from tinyseg.runs.records import CompareDocument

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

_SUFFIXES = (".png", ".svg", ".pdf")
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito
_MEASURES = {"per_volume": "Dice per volume", "per_image": "Dice per image", "top1": "top-1"}
_EVERY = 5.0  # pixels along a line that labels should not cross


def plot(document: CompareDocument, path: Path) -> None:
    """Draws Dice or top-1 against parameters (logarithmic), a point an evaluated run.

    Bars are the 95 % intervals; a line joins the Pareto front of the runs that are comparable (same
    data, split and size), which share a colour.

    Args:
        document: the comparison.
        path: a .png, .svg or .pdf file.

    Raises:
        UsageError: another suffix.
        TinysegError: no run was evaluated.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    check_suffix(path)
    rows = [row for row in document.rows if score_of(row) is not None]
    if not rows:
        raise TinysegError(
            "There is nothing to draw: no run has a score.", "Evaluate one: tinyseg evaluate RUN"
        )
    figure = Figure(figsize=(7, 4.5), layout="constrained", dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _draw(axes, rows)
    figure.draw_without_rendering()
    place_labels(
        axes,
        [(row["parameters"], score_of(row) or 0, row["run"]) for row in rows],
        [_box(axes, row) for row in rows],
        _on_fronts(axes, rows),
    )
    with whole_file(path) as temporary:
        figure.savefig(temporary)


def check_suffix(path: Path) -> None:
    """Raises a `UsageError` unless a picture can be written to the path."""
    if path.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"The picture {path} should end in {', '.join(_SUFFIXES)}.")


def _draw(axes: "Axes", rows: list[Row]) -> None:
    for number, (test, alike) in enumerate(_by_test(rows).items()):
        data, split, size = test
        label = f"{source_name(str(data))}, split by {split}, {size} px"
        _draw_test(axes, alike, _COLOURS[number % len(_COLOURS)], label)
    measures = {_MEASURES[row["measure"]] for row in rows}
    axes.set_xscale("log")
    axes.margins(x=0.25, y=0.12)
    _name_ticks(axes)
    axes.set_xlabel("parameters")
    axes.set_ylabel(" or ".join(sorted(measures)))
    axes.grid(alpha=0.3, linewidth=0.5)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False, fontsize=8, ncols=2)


def _name_ticks(axes: "Axes") -> None:
    """Parameters in k and M; those between powers of ten too where there is room for them."""
    from matplotlib.ticker import EngFormatter, NullFormatter

    axes.xaxis.set_major_formatter(EngFormatter())
    low, high = axes.get_xlim()
    axes.xaxis.set_minor_formatter(EngFormatter() if high < 4 * low else NullFormatter())


def _by_test(rows: list[Row]) -> dict[tuple[object, ...], list[Row]]:
    tests: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        tests[comparable(row)].append(row)
    return tests


def _front(rows: list[Row]) -> list[tuple[float, float]]:
    """Where the line of a Pareto front bends: parameters and Dice."""
    return sorted((row["parameters"], score_of(row) or 0) for row in rows if row["pareto"])


def _draw_test(axes: "Axes", rows: list[Row], colour: str, label: str) -> None:
    for row in rows:
        low, high = _interval(row)
        axes.plot([row["parameters"]] * 2, [low, high], color=colour, linewidth=1, alpha=0.5)
    axes.plot(
        [row["parameters"] for row in rows], [score_of(row) or 0 for row in rows],
        "o", color=colour, markersize=5, label=label,
    )  # fmt: skip
    best = _front(rows)
    axes.plot(
        [parameters for parameters, _ in best], [dice for _, dice in best],
        "--", color=colour, linewidth=1,
    )  # fmt: skip


def _interval(row: Row) -> tuple[float, float]:
    score = score_of(row) or 0
    return interval_of(row) or (score, score)


def _box(axes: "Axes", row: Row) -> "Bbox":
    """The pixels that a point and its bar cover."""
    from matplotlib.transforms import Bbox

    low, high = _interval(row)
    x, bottom = axes.transData.transform((row["parameters"], low))
    top = axes.transData.transform((row["parameters"], high))[1]
    middle = axes.transData.transform((row["parameters"], score_of(row) or 0))[1]
    return Bbox.from_extents(x - 6, min(bottom, middle - 6), x + 6, max(top, middle + 6))


def _on_fronts(axes: "Axes", rows: list[Row]) -> "list[Bbox]":
    """Small boxes along the lines of the Pareto fronts, so that no label is struck through."""
    import numpy as np
    from matplotlib.transforms import Bbox

    boxes: list[Bbox] = []
    for alike in _by_test(rows).values():
        bends = axes.transData.transform(_front(alike))
        for start, end in pairwise(bends):
            steps = int(np.hypot(*(end - start)) / _EVERY) + 2
            boxes += [
                Bbox.from_extents(x - 1, y - 1, x + 1, y + 1)
                for x, y in np.linspace(start, end, steps)
            ]
    return boxes
