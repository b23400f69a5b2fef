"""Labels that cover neither points nor each other."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

Point = tuple[float, float, str]

# Where a label may stand, in points from its point: right, left, above and below; then farther
# off, with a line to the point.
_NEAR = ((8, 5), (8, -5), (-8, 5), (-8, -5), (0, 10), (0, -10))
_OFFSETS = [(x * far, y * far) for far in (1, 2, 3, 4.5, 6) for x, y in _NEAR]


def place_labels(
    axes: "Axes", points: Sequence[Point], taken: Iterable["Bbox"], lines: Sequence["Bbox"] = ()
) -> None:
    """Writes a label beside each point, at the nearest place that is free.

    Args:
        axes: whose limits and layout are final.
        points: x, y and label each.
        taken: boxes in pixels that no label may cover.
        lines: boxes in pixels that labels cover only where there is no other place.
    """
    occupied = list(taken)
    for point in points:
        boxes = [_extent(axes, point, offset) for offset in _OFFSETS]
        crowding = [
            (not _inside(box, axes), box.count_overlaps(occupied), box.count_overlaps(lines))
            for box in boxes
        ]
        best = crowding.index(min(crowding))
        _label(axes, point, _OFFSETS[best], with_line=best >= len(_NEAR))
        occupied.append(boxes[best])


def _extent(axes: "Axes", point: Point, offset: tuple[float, float]) -> "Bbox":
    """The pixels of a label, without the line to its point."""
    label = _label(axes, point, offset, with_line=False)
    box = label.get_window_extent()
    label.remove()
    return box


def _label(
    axes: "Axes", point: Point, offset: tuple[float, float], *, with_line: bool
) -> "Annotation":
    x, y, text = point
    right, _ = offset
    label = axes.annotate(
        text,
        (x, y),
        offset,
        textcoords="offset points",
        ha="left" if right > 0 else "right" if right < 0 else "center",
        va="center",
        fontsize=8,
        arrowprops={"arrowstyle": "-", "linewidth": 0.5, "color": "0.5"} if with_line else None,
    )
    label.set_in_layout(False)
    return label


def _inside(box: "Bbox", axes: "Axes") -> bool:
    frame = axes.get_window_extent()
    return frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1)
