"""Figures made of raw times."""

import math
from collections.abc import Mapping, Sequence
from statistics import linear_regression, median


def ratio(rival: Sequence[float], ours: Sequence[float]) -> float:
    """How many times faster ours is than the rival, by medians."""
    return median(rival) / median(ours)


def exponent(seconds: Mapping[int, float]) -> float:
    """p of the least-squares fit seconds = c length^p, over at least two lengths."""
    lengths, times = zip(*sorted(seconds.items()), strict=True)
    return linear_regression([math.log(n) for n in lengths], [math.log(t) for t in times]).slope


def slope(first: float, third: float, unit: float) -> float:
    """What each unit adds, of a peak with one batch (one unit) and one with three."""
    return (third - first) / (2 * unit)


def three_digits(number: float) -> str:
    """A number for a table: 0.123, 1.23, 12.3, 123."""
    digits = 2 - math.floor(math.log10(abs(number))) if number else 2
    return f"{number:.{min(max(digits, 0), 3)}f}"
