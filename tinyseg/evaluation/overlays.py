"""A mask drawn over its picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tinyseg.evaluation.colours import ONE_CLASS

_DARK = (0, 0, 0)
_SHARE = 0.25  # of the tint within the mask
_FRAME = 256  # px of the shorter side for each pixel of the outline's width


def draw_overlay(
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    colours: Sequence[Sequence[int]] | NDArray[np.uint8] = (ONE_CLASS,),
) -> NDArray[np.uint8]:
    """Tints each class and draws its outline, with a dark line around all for bright pictures.

    Args:
        image: (height, width, 3).
        labels: (height, width), 0 where nothing is drawn.
        colours: RGB of each class, the n-th that of label n.

    Returns:
        (height, width, 3); what lies away from the mask is unchanged.
    """
    from scipy import ndimage

    drawn = image.copy()
    marked = labels > 0
    if not marked.any():
        return drawn
    width = max(1, round(min(labels.shape) / _FRAME))
    for label, colour in enumerate(colours, start=1):
        inside = labels == label
        core = ndimage.binary_erosion(inside, iterations=width, border_value=1)
        tinted = (1 - _SHARE) * image[inside] + _SHARE * np.array(colour)
        drawn[inside] = tinted.round().astype(np.uint8)
        drawn[inside & ~np.asarray(core, np.bool_)] = colour
    grown = np.asarray(ndimage.binary_dilation(marked, iterations=width), np.bool_)
    drawn[grown & ~marked] = _DARK
    return drawn
