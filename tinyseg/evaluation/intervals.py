"""95 % intervals by bootstrap over groups: images of one patient are no independent evidence."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from tinyseg.runs.records import Estimate

RESAMPLES = 2000
_SEED = 0


def mean_interval(values: ArrayLike, groups: Sequence[str]) -> Estimate:
    """A mean over images with its percentile interval.

    Whole groups are drawn with replacement, as many as there are; the mean of a draw is its sum of
    values over its number of images. The draws depend on the number of groups alone, so that equal
    inputs give equal intervals.

    Args:
        values: one an image, or a paired difference of two networks on one image.
        groups: the group of each.

    Returns:
        The mean; without an interval where there is a single group.
    """
    numbers = np.asarray(values, np.float64)
    names, rows = np.unique(np.asarray(groups), return_inverse=True)
    mean = float(numbers.mean())
    if len(names) < 2:
        return Estimate(mean=mean, ci95=None)
    sums = np.bincount(rows, weights=numbers)
    sizes = np.bincount(rows)
    share = np.full(len(names), 1 / len(names))
    times_drawn = np.random.default_rng(_SEED).multinomial(len(names), share, RESAMPLES)
    means = (times_drawn @ sums) / (times_drawn @ sizes)
    low, high = np.percentile(means, (2.5, 97.5))
    return Estimate(mean=mean, ci95=(float(low), float(high)))
