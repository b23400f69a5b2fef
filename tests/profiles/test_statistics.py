"""Percentiles, the interval of the median, and doubts."""

import statistics

import numpy as np
import pytest
from scipy.stats import binom

from tinyseg.profiles.statistics import latency, median_interval, noise

QUIET = {"threads": 1, "processor_share": 1.0, "load_average": 0.5, "cores": 2}


def samples(count: int = 200, seed: int = 0) -> list[float]:
    return np.random.default_rng(seed).gamma(20, 0.1, count).tolist()


def test_percentiles_mean_and_spread():
    found, values = latency(samples()), samples()
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    assert found.p50 == pytest.approx(statistics.median(values))
    assert found.p90 == pytest.approx(cuts[89])
    assert found.p95 == pytest.approx(cuts[94])
    assert found.p99 == pytest.approx(cuts[98])
    assert found.mean == pytest.approx(statistics.mean(values))
    assert found.std == pytest.approx(statistics.stdev(values))
    assert found.p50_ci95 == median_interval(values)


def test_a_single_sample_has_no_spread():
    found = latency([3.0])
    assert (found.p50, found.p99, found.std, found.p50_ci95) == (3, 3, 0, (3, 3))


def test_the_interval_of_the_median_is_the_narrowest_that_holds_95_percent():
    for count in [*range(6, 400), 700, 998, 999]:
        low, high = median_interval(range(1, count + 1))
        assert low + high == count + 1
        assert 1 - 2 * binom.cdf(low - 1, count, 0.5) >= 0.95
        assert 1 - 2 * binom.cdf(low, count, 0.5) < 0.95


def test_of_many_samples_it_is_at_most_a_rank_wider():
    for count in [*range(1000, 1100), 5000, 30_000, 100_001]:
        low, high = median_interval(range(1, count + 1))
        assert low + high == count + 1
        assert 1 - 2 * binom.cdf(low - 1, count, 0.5) >= 0.95
        assert 1 - 2 * binom.cdf(low + 1, count, 0.5) < 0.95


def test_of_few_samples_it_is_all_of_them():
    for count in range(1, 6):
        assert median_interval(range(count)) == (0, count - 1)


def test_the_interval_does_not_mind_the_order():
    values = samples()
    assert median_interval(values) == median_interval(values[::-1])


def test_steady_samples_on_a_quiet_machine_are_trusted():
    values = (10 + np.random.default_rng(0).normal(0, 0.1, 100)).tolist()
    found = noise(values, **QUIET)
    q25, q75 = statistics.quantiles(values, n=4, method="inclusive")[::2]
    assert found.relative_iqr == pytest.approx((q75 - q25) / statistics.median(values))
    assert (found.load_average, found.reasons) == (0.5, [])


@pytest.mark.parametrize(
    ("values", "changes", "sentence"),
    [
        ([1.0] * 19, {}, "only 19 samples: give it more --max-seconds"),
        ([1.0, 1.2] * 50, {}, "middle half of the samples spreads over 18% of the median"),
        ([1.0] * 50 + [1.2] * 50, {}, "second half differs from the first by 20%"),
        ([1.2] * 50 + [1.0] * 50, {}, "second half differs from the first by 17%"),
        ([1.0] * 50, {"processor_share": 0.6}, "other programs left it only 60% of a core"),
        ([1.0] * 50, {"load_average": 2.5}, "the load average was 2.5 on 2 cores"),
    ],
)
def test_every_doubt_is_a_reason(values, changes, sentence):
    reasons = noise(values, **QUIET | changes).reasons
    assert any(sentence in reason for reason in reasons)


def test_waiting_for_other_threads_is_no_doubt():
    assert noise([1.0] * 50, **QUIET | {"threads": 2, "processor_share": 0.6}).reasons == []


def test_a_system_without_load_average_is_no_doubt():
    assert noise([1.0] * 50, **QUIET | {"load_average": None}).reasons == []
