"""Random fields of phantom volumes: smooth noise along three axes, drawn coarse, spread fine."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FRAME = 256  # pixels: side of every slice
Plane = NDArray[np.float32]


def smooth_noise(
    random: np.random.Generator, slices: int, cells: int, drift: float
) -> NDArray[np.float32]:
    """Noise of mean 0 and deviation 1 on a coarse grid (slices, cells, cells).

    Args:
        random: where it comes from.
        slices: of the volume.
        cells: along each side of a slice; fewer make larger blobs.
        drift: how many slices it takes to change (deviation of the Gaussian along the volume).
    """
    from scipy import ndimage

    white = random.standard_normal((slices, cells, cells), np.float32)
    smooth = ndimage.gaussian_filter(white, (drift, 0.7, 0.7), mode="wrap")
    return (smooth - smooth.mean()) / smooth.std()


def spread(coarse: NDArray[np.float32], side: int = FRAME) -> Plane:
    """A slice of a coarse grid as a plane of pixels."""
    picture = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(picture)


def ramp(distance: NDArray[np.float32], width: float) -> Plane:
    """From 0 to 1 while a distance goes from -width / 2 to width / 2."""
    return np.clip(distance * np.float32(1 / width) + np.float32(0.5), 0, 1)
