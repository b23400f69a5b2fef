"""Does an artifact do what its network does? Compared on real pictures, in the real runtime."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinyseg.errors import TinysegError
from tinyseg.runs.records import Parity, Precision

LOGIT_TOLERANCE = 1e-3  # largest difference of a logit, as a share of the logits' range


class Gate(NamedTuple):
    """What a precision has to keep.

    Attributes:
        max_abs: largest difference of a probability; None where rounding may turn single pixels.
        least_snr_db: signal over noise of the logits, decibels; None where `max_abs` decides.
        drop: of the score, on the run's test pictures.
    """

    max_abs: float | None
    least_snr_db: float | None
    drop: float


#: Rounding to 8 bits turns pixels at the borders of what is found; it must not turn the picture.
GATES: dict[Precision, Gate] = {
    "fp32": Gate(1e-4, None, 0.005),
    "fp16": Gate(None, 40, 0.005),
    "int8-weights": Gate(None, 25, 0.02),
    "int8-dynamic": Gate(None, 20, 0.02),
    "int8": Gate(None, 20, 0.02),
    "int8-full": Gate(None, 10, 0.02),
}


def compare(
    expected: NDArray[np.float32],
    found: NDArray[np.float32],
    *,
    threshold: float,
    precision: Precision = "fp32",
) -> Parity:
    """Compares an artifact's logits with its network's.

    Probabilities alone would pass whatever an export does to a network that is sure of everything,
    as one with fresh weights may be; so logits are held to a tolerance of their own.

    Args:
        expected: the network's logits, (pictures, classes, height, width).
        found: the artifact's, of the same shape. What is not a finite number counts as wrong by 1,
            the largest difference there is.
        threshold: of the decision whose flips are counted.
        precision: the artifact's, which says what passes.

    Raises:
        TinysegError: the shapes differ.
    """
    from tinyseg.evaluation import decide, probabilities

    if expected.shape != found.shape:
        raise TinysegError(
            f"The artifact's logits have the shape {found.shape}, the network's {expected.shape}."
        )
    with np.errstate(invalid="ignore"):
        ours, theirs = probabilities(expected), probabilities(found)
    difference = np.nan_to_num(np.abs(ours - theirs), nan=1.0)
    difference[~np.isfinite(found)] = 1.0
    flips = decide(ours, threshold) != decide(theirs, threshold)
    worst, logits = float(difference.max()), share_of_range(expected, found)
    snr, gate = signal_to_noise(expected, found), GATES[precision]
    if gate.least_snr_db is None:
        passed = worst <= (gate.max_abs or 0) and logits <= LOGIT_TOLERANCE
    else:
        passed = snr >= gate.least_snr_db
    return Parity(
        max_abs=worst,
        mean_abs=float(difference.mean()),
        flips=float(flips.mean()),
        logits=logits,
        snr_db=snr if np.isfinite(snr) else None,
        images=len(expected),
        tolerance=gate.max_abs,
        least_snr_db=gate.least_snr_db,
        passed=passed,
    )


def signal_to_noise(expected: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    """Decibels of the expected values over the difference; infinite where there is none.

    Values that are not finite make it minus infinity.
    """
    if not (np.isfinite(expected).all() and np.isfinite(found).all()):
        return -np.inf
    signal = float(np.square(expected, dtype=np.float64).sum())
    noise = float(np.square(expected.astype(np.float64) - found).sum())
    if noise == 0:
        return np.inf
    return 10 * float(np.log10(signal / noise)) if signal else -np.inf


def share_of_range(expected: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    """Largest difference of a logit as a share of the network's range, at most 1.

    Args:
        expected: the network's.
        found: the artifact's, of the same shape; what is not finite counts as 1.
    """
    if not (np.isfinite(expected).all() and np.isfinite(found).all()):
        return 1.0
    worst = float(np.abs(expected.astype(np.float64) - found).max())
    # Logits that are all but equal differ by rounding alone, which goes with their size.
    whole = max(float(np.ptp(expected)), 0.01 * float(np.abs(expected).max()))
    return min(worst / whole, 1.0) if whole else float(worst > 0)
