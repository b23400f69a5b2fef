"""Does an artifact do what its network does? Compared on real pictures, in the real runtime."""

import numpy as np
from numpy.typing import NDArray

from tinyseg.errors import TinysegError
from tinyseg.runs.records import Parity

TOLERANCE = 1e-4  # largest difference of a probability, for float32


def compare(
    expected: NDArray[np.float32],
    found: NDArray[np.float32],
    *,
    threshold: float,
    tolerance: float = TOLERANCE,
) -> Parity:
    """Compares an artifact's logits with its network's.

    Args:
        expected: the network's logits, (pictures, classes, height, width).
        found: the artifact's, of the same shape. What is not a number counts as wrong by 1, the
            largest difference there is.
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
    ours, theirs = probabilities(expected), probabilities(found)
    difference = np.nan_to_num(np.abs(ours - theirs), nan=1.0, posinf=1.0)
    flips = decide(ours, threshold) != decide(theirs, threshold)
    worst = float(difference.max())
    return Parity(
        max_abs=worst,
        mean_abs=float(difference.mean()),
        flips=float(flips.mean()),
        images=len(expected),
        tolerance=tolerance,
        passed=worst <= tolerance,
    )
