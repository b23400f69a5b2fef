"""Does an artifact do what its network does? Compared on real pictures, in the real runtime."""

import numpy as np
from numpy.typing import NDArray

from tinyseg.errors import TinysegError
from tinyseg.runs.records import Parity

TOLERANCE = 1e-4  # largest difference of a probability, for float32
LOGIT_TOLERANCE = 1e-3  # largest difference of a logit, as a share of the logits' range


def compare(
    expected: NDArray[np.float32],
    found: NDArray[np.float32],
    *,
    threshold: float,
    tolerance: float = TOLERANCE,
) -> Parity:
    """Compares an artifact's logits with its network's.

    Probabilities alone would pass whatever an export does to a network that is sure of everything,
    as one with fresh weights may be; so logits are held to a tolerance of their own.

    Args:
        expected: the network's logits, (pictures, classes, height, width).
        found: the artifact's, of the same shape. What is not a finite number counts as wrong by 1,
            the largest difference there is.
        threshold: of the decision whose flips are counted.
        tolerance: largest difference of probabilities that passes.

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
    return Parity(
        max_abs=worst,
        mean_abs=float(difference.mean()),
        flips=float(flips.mean()),
        logits=logits,
        images=len(expected),
        tolerance=tolerance,
        passed=worst <= tolerance and logits <= LOGIT_TOLERANCE,
    )


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
