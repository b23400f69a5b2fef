"""Labels that cover neither points nor each other."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

Point = tuple[float, float, str]

# Where a label may stand, in points from its point: right, left, above and below, then farther off.
_NEAR = ((8, 5), (8, -5), (-8, 5), (-8, -5), (0, 10), (0, -10))
_OFFSETS = [(x * far, y * far) for far in (1, 2, 3, 4.5, 6) for x, y in _NEAR]
_LINE_FROM = 14  # points: labels farther off get a line


def place_labels(axes: "Axes", points: Sequence[Point], taken: Iterable["Bbox"]) -> None:
    """Writes a label beside each point, at the nearest place that is free.

    Args:
        axes: whose limits and layout are final.
        points: x, y and label each.
        taken: boxes in pixels that no label may cover.
    """
    occupied = list(taken)
    for point in points:
        crowding = [_crowding(axes, point, offset, occupied) for offset in _OFFSETS]
        label = _label(axes, point, _OFFSETS[crowding.index(min(crowding))])
        occupied.append(label.get_window_extent())


def _crowding(
    axes: "Axes", point: Point, offset: tuple[float, float], occupied: "list[Bbox]"
) -> tuple[bool, int]:
    """Whether a label would leave the frame, and how much it would cover."""
    label = _label(axes, point, offset)
    box = label.get_window_extent()
    label.remove()
    return not _inside(box, axes), box.count_overlaps(occupied)


def _label(axes: "Axes", point: Point, offset: tuple[float, float]) -> "Annotation":
    x, y, text = point
    right, up = offset
    far = abs(right) + abs(up) > _LINE_FROM
    label = axes.annotate(
        text,
        (x, y),
        offset,
        textcoords="offset points",
        ha="left" if right > 0 else "right" if right < 0 else "center",
        va="center",
        fontsize=8,
        arrowprops={"arrowstyle": "-", "linewidth": 0.5, "color": "0.5"} if far else None,
    )
    label.set_in_layout(False)
    return label


def _inside(box: "Bbox", axes: "Axes") -> bool:
    frame = axes.get_window_extent()
    return frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1)
