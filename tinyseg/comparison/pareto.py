"""Which points nothing beats."""

from collections.abc import Sequence


def front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Marks the points that no other dominates.

    Args:
        points: (accuracy, cost) each; accuracy is better high, cost better low.

    Returns:
        For each point, whether no other is at least as good in both and better in one.
    """
    return [not any(_beats(other, point) for other in points) for point in points]


def _beats(other: tuple[float, float], point: tuple[float, float]) -> bool:
    return other != point and other[0] >= point[0] and other[1] <= point[1]
