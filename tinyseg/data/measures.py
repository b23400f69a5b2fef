"""What can be measured on masks and volumes, without any network."""

import numpy as np
from numpy.typing import NDArray


def mask_dice(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float | None:
    """Dice of two drawn masks of 0 and 1, such as those of neighbouring slices; None if both empty.

    How well a network's masks agree with the drawn ones is `tinyseg.evaluation`'s business.
    """
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else None
