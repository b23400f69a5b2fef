"""From samples to percentiles, an interval, and whether to believe them."""

import math
from collections.abc import Sequence

import numpy as np

from tinyseg.runs.records import Latency, Noise

_MOST_SCATTER = 0.10  # interquartile range over median
_MOST_DRIFT = 0.10  # between the medians of the first and the second half
_LEAST_SHARE = 0.90  # of a core, that a single thread should get
_FEWEST_SAMPLES = 20


def latency(samples_ms: Sequence[float]) -> Latency:
    """Percentiles, mean and spread of samples in milliseconds."""
    samples = np.asarray(samples_ms)
    p50, p90, p95, p99 = (float(value) for value in np.percentile(samples, [50, 90, 95, 99]))
    return Latency(
        p50=p50,
        p90=p90,
        p95=p95,
        p99=p99,
        mean=float(samples.mean()),
        std=float(samples.std(ddof=1)) if len(samples) > 1 else 0.0,
        p50_ci95=median_interval(samples_ms),
    )


def median_interval(samples: Sequence[float]) -> tuple[float, float]:
    """A 95 % interval of the median from order statistics, whatever the distribution.

    The r-th smallest and r-th largest of n samples hold the median between them with probability
    1 - 2 P(X < r), X binomial(n, 1/2); r is the largest for which that is at least 0.95. Fewer
    than six samples reach no 0.95, and give their whole range.
    """
    ordered, n = sorted(samples), len(samples)
    rank, below = 0, 0.5**n if n < 1000 else 0.0
    if n >= 1000:  # the normal approximation, where 2**-n leaves the range of floats
        rank = math.floor(n / 2 - 0.98 * math.sqrt(n))
    else:
        while below <= 0.025:
            rank += 1
            below += math.comb(n, rank) * 0.5**n
    rank = max(rank, 1)
    return ordered[rank - 1], ordered[n - rank]


def noise(
    samples_ms: Sequence[float],
    *,
    threads: int,
    processor_share: float,
    load_average: float | None,
    cores: int,
) -> Noise:
    """What speaks against believing samples; nothing, when ``reasons`` is empty.

    Args:
        samples_ms: in the order they were taken.
        threads: threads the runtime was given.
        processor_share: processor time over wall time during the measurement.
        load_average: of the last minute before it, where the system tells.
        cores: of the machine.
    """
    q25, p50, q75 = np.percentile(samples_ms, [25, 50, 75])
    scatter = float((q75 - q25) / p50)
    half = len(samples_ms) // 2
    reasons: list[str] = []
    if len(samples_ms) < _FEWEST_SAMPLES:
        reasons.append(f"only {len(samples_ms)} samples: give it more --max-seconds")
    if scatter > _MOST_SCATTER:
        reasons.append(f"the middle half of the samples spreads over {scatter:.0%} of the median")
    if half and (drift := _drift(samples_ms[:half], samples_ms[half:])) > _MOST_DRIFT:
        reasons.append(f"the second half differs from the first by {drift:.0%}")
    if threads == 1 and processor_share < _LEAST_SHARE:
        reasons.append(f"other programs left it only {processor_share:.0%} of a core")
    if load_average is not None and load_average > cores:
        reasons.append(f"the load average was {load_average:.1f} on {cores} cores")
    return Noise(relative_iqr=scatter, load_average=load_average, reasons=reasons)


def _drift(first: Sequence[float], second: Sequence[float]) -> float:
    before = float(np.median(first))
    return abs(float(np.median(second)) - before) / before
