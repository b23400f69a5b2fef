"""A mask drawn over its picture."""

import numpy as np
from numpy.typing import NDArray

_TINT = (255, 214, 0)  # a yellow that neither grey brains nor brown skin nor violet stains have
_DARK = (0, 0, 0)
_SHARE = 0.25  # of the tint within the mask
_FRAME = 256  # px of the shorter side for each pixel of the outline's width


def draw_overlay(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Tints a mask and draws its outline, with a dark line around it for bright pictures.

    Args:
        image: (height, width, 3).
        mask: (height, width) of 0 and 1.

    Returns:
        (height, width, 3); what lies away from the mask is unchanged.
    """
    from scipy import ndimage

    drawn = image.copy()
    inside = mask == 1
    if not inside.any():
        return drawn
    width = max(1, round(min(mask.shape) / _FRAME))
    core = np.asarray(ndimage.binary_erosion(inside, iterations=width, border_value=1), np.bool_)
    grown = np.asarray(ndimage.binary_dilation(inside, iterations=width), np.bool_)
    tinted = (1 - _SHARE) * image[inside] + _SHARE * np.array(_TINT)
    drawn[inside] = tinted.round().astype(np.uint8)
    drawn[inside & ~core] = _TINT
    drawn[grown & ~inside] = _DARK
    return drawn
