"""What a dataset holds, drawn."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinyseg.runs import whole_file
from tinyseg.runs.records import DescribeDocument

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_IN_A_COLUMN = 50  # bars of classes
_COLOURS = {"train": "#56b4e9", "validation": "#e69f00", "test": "#d55e00", "all": "#56b4e9"}


def plot_parts(document: DescribeDocument, path: Path) -> None:
    """Draws how many pictures each part has: with and without foreground, or of each class.

    Args:
        document: a description; one without a split shows all pictures as one part.
        path: a .png, .svg or .pdf file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    of_pixels = document.data.task == "segmentation"
    figure = _draw_foreground(document) if of_pixels else _draw_classes(document)
    FigureCanvasAgg(figure)
    with whole_file(path) as temporary:
        figure.savefig(temporary)


def _draw_foreground(document: DescribeDocument) -> "Figure":
    from matplotlib.figure import Figure

    bars = _with_and_without(document)
    figure = Figure(figsize=(6, 3.6), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    places = np.arange(len(bars))
    classes = document.data.classes
    name = classes[0] if len(classes) == 1 else "foreground"
    for shift, kind, colour in ((-0.2, "without", "#56b4e9"), (0.2, "with", "#d55e00")):
        counts = [bar[kind] for bar in bars.values()]
        drawn = axes.bar(places + shift, counts, 0.38, color=colour, label=f"{kind} {name}")
        axes.bar_label(drawn, [f"{count:,}" for count in counts], padding=2, fontsize=8)
    axes.set_xticks(places, list(bars))
    axes.set_ylabel("images")
    axes.margins(y=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return figure


def _with_and_without(document: DescribeDocument) -> dict[str, dict[str, int]]:
    if document.split is None:
        counts = {"all": (document.data.images, document.images_with_foreground or 0)}
    else:
        counts = {
            part.part: (part.images, part.images_with_foreground or 0)
            for part in document.split.parts
        }
    return {
        name: {"with": marked, "without": images - marked}
        for name, (images, marked) in counts.items()
    }


def _draw_classes(document: DescribeDocument) -> "Figure":
    """A bar a class, the longest first, in columns."""
    from matplotlib.figure import Figure

    order = sorted(
        range(len(document.classes)),
        key=lambda place: (-document.classes[place].images, document.classes[place].name),
    )
    columns = -(-len(order) // _IN_A_COLUMN)
    rows = -(-len(order) // columns)
    figure = Figure(
        figsize=(max(6, 3.6 * columns), 1.2 + 0.16 * rows), layout="constrained", dpi=150
    )
    every = figure.subplots(1, columns, sharex=True, squeeze=False)[0]
    for column, axes in enumerate(every):
        _draw_column(document, axes, order[column * rows : (column + 1) * rows], rows)
    handles, names = every[0].get_legend_handles_labels()
    if len(names) > 1:
        figure.legend(handles, names, frameon=False, loc="outside upper center", ncols=3)
    figure.supxlabel("images", fontsize=9)
    return figure


def _draw_column(document: DescribeDocument, axes: "Axes", classes: list[int], rows: int) -> None:
    places = np.arange(len(classes))
    left = np.zeros(len(classes), np.int64)
    for part, images in _by_class(document).items():
        counts = np.array([images[place] for place in classes])
        axes.barh(places, counts, 0.8, left=left, color=_COLOURS[part], label=part)
        left += counts
    axes.set_yticks(places, [document.classes[place].name for place in classes], fontsize=7)
    axes.set_ylim(rows - 0.4, -0.6)  # the first on top; all columns alike
    axes.tick_params("y", length=0)
    axes.tick_params("x", labelsize=8)
    axes.locator_params("x", integer=True)
    axes.spines[["top", "right"]].set_visible(False)


def _by_class(document: DescribeDocument) -> dict[str, list[int]]:
    if document.split is None:
        return {"all": [described.images for described in document.classes]}
    return {part.part: part.images_by_class for part in document.split.parts}
