"""Intervals over groups, against SciPy's bootstrap and by the share of intervals that hold."""

import numpy as np
import pytest
from scipy import stats

from tinyseg.evaluation.intervals import mean_interval

RANDOM = np.random.default_rng(3)


def named(count: int) -> list[str]:
    return [f"g{number}" for number in range(count)]


def test_it_agrees_with_scipy_where_every_image_is_a_group():
    values = RANDOM.beta(4, 2, 40)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    ours = mean_interval(values, named(40))
    assert ours.mean == pytest.approx(values.mean())
    assert ours.ci95 == pytest.approx((theirs.low, theirs.high), abs=0.006)


def test_it_agrees_with_scipy_where_groups_differ_in_size():
    """SciPy draws groups as (sum, size) pairs; the mean of a draw is the ratio of their totals."""
    sizes = RANDOM.integers(1, 30, 25)
    groups = [name for name, size in zip(named(25), sizes, strict=True) for _ in range(size)]
    values = np.concatenate([RANDOM.normal(RANDOM.normal(), 0.1, size) for size in sizes])
    sums = np.array([values[np.asarray(groups) == name].sum() for name in named(25)])
    theirs = stats.bootstrap(
        (sums, sizes), lambda sums, sizes, axis=-1: sums.sum(axis) / sizes.sum(axis),
        n_resamples=20_000, method="percentile", paired=True, rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    ours = mean_interval(values, groups)
    assert ours.ci95 == pytest.approx(
        (theirs.low, theirs.high), abs=0.05 * (theirs.high - theirs.low)
    )


def test_about_95_of_100_intervals_hold_the_truth():
    """Thirty patients of ten alike images each: 300 images, but 30 pieces of evidence."""
    groups = [name for name in named(30) for _ in range(10)]
    held = 0
    for _ in range(200):
        values = np.repeat(RANDOM.normal(0.7, 0.2, 30), 10) + RANDOM.normal(0, 0.05, 300)
        low, high = mean_interval(values, groups).ci95 or (0, 0)
        held += low <= 0.7 <= high
    assert 0.89 * 200 <= held <= 0.99 * 200


def test_a_single_group_has_no_interval():
    assert mean_interval([0.2, 0.4], ["a", "a"]).ci95 is None


def test_equal_inputs_give_equal_intervals():
    values = RANDOM.random(12)
    assert mean_interval(values, named(12)) == mean_interval(values, named(12))
