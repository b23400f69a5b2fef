"""What can be measured on masks and volumes, without any network."""

import numpy as np
from numpy.typing import NDArray

_CLOSING = 3  # px


def mask_dice(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float | None:
    """Dice of two drawn masks, such as those of neighbouring slices; None if both are empty.

    Everything above 0 counts as foreground, of whichever class it is. How well a network's
    masks agree with the drawn ones is `tinyseg.evaluation`'s business.
    """
    here, there = one > 0, other > 0
    total = int(here.sum()) + int(there.sum())
    return 2 * int((here & there).sum()) / total if total else None


def head_mask(image: NDArray[np.uint8], scale: float = 1.0) -> NDArray[np.bool_]:
    """The largest bright region of a slice (height, width, channels), closed and filled.

    Bright is where the maximum over the channels, blurred by 2 px, exceeds 12 levels. The pictures
    are not stripped of the skull: scalp and face belong to the head. Empty above the head.

    Args:
        image: the slice.
        scale: of its frame, where that is not 256 px wide; lengths go with it.
    """
    from scipy import ndimage

    bright = ndimage.gaussian_filter(image.max(axis=2).astype(np.float32), 2 * scale) > 12
    if not bright.any():
        return bright
    labels = np.empty(bright.shape, np.int32)
    ndimage.label(bright, output=labels)
    largest = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    pixels = max(1, round(_CLOSING * scale))
    padded = np.pad(largest, pixels)
    closed = np.asarray(ndimage.binary_closing(padded, iterations=pixels))
    return np.asarray(ndimage.binary_fill_holes(closed[pixels:-pixels, pixels:-pixels]), np.bool_)


def inside(region: NDArray[np.bool_], pixels: float) -> NDArray[np.bool_]:
    """What of a region is more than some pixels from its border."""
    return _distance(region) > pixels


def contrast(
    plane: NDArray[np.uint8], mask: NDArray[np.uint8], head: NDArray[np.bool_]
) -> float | None:
    """Mean of the masked pixels over the mean of their surroundings.

    The surroundings are 4 to 10 px outside the mask and inside the head; None where there are none.
    """
    away = _distance(mask == 0)
    ring = plane[(away >= 4) & (away <= 10) & head]
    inner = plane[mask > 0]
    if not ring.size or not inner.size or not ring.any():
        return None
    return float(inner.mean() / ring.mean())


def noise_level(plane: NDArray[np.uint8], region: NDArray[np.bool_]) -> float | None:
    """Standard deviation of the noise in a region, levels; None where it is too small.

    From the median absolute diagonal Haar detail; fine structure counts as noise.
    """
    height, width = (side // 2 * 2 for side in plane.shape)
    values = plane[:height, :width].astype(np.float32)
    detail = (values[::2, ::2] - values[1::2, ::2] - values[::2, 1::2] + values[1::2, 1::2]) / 2
    chosen = region[:height:2, :width:2]
    return float(np.median(np.abs(detail[chosen])) / 0.6745) if chosen.any() else None


def _distance(region: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Pixels from each pixel of a region to the nearest one outside; 0 outside."""
    from scipy import ndimage

    return np.asarray(ndimage.distance_transform_edt(region))
