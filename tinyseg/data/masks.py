"""From a mask file to labels, whatever the file's form; errors name the file."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyseg.data.pictures import decode
from tinyseg.errors import TinysegError

_LOSSY = frozenset({".jpg", ".jpeg", ".webp"})
_WHITE = 255
_FEW = 4  # levels that a message lists


def read_mask(path: Path) -> NDArray[np.uint8]:
    """Reads a mask as (height, width) of 0 and 1.

    Everything above 0 is foreground; 128 and above where the mask's edges may be blurred, which is
    where its brightest value is 255 or its file is lossy.

    Raises:
        TinysegError: the file cannot be read, or the mask is in colour.
    """
    levels = mask_levels(path)
    blurred = _is_lossy(path) or levels.max(initial=0) == _WHITE
    return (levels >= (128 if blurred else 1)).astype(np.uint8)


def read_labels(path: Path, classes: int) -> NDArray[np.uint8]:
    """Reads a mask as labels (height, width): 0 background, n the n-th class of the foreground.

    A mask of a single class is read as `read_mask` does. One of several holds the labels
    themselves, as grey levels or as the indices of a palette.

    Args:
        path: the mask.
        classes: how many classes the foreground has.

    Raises:
        TinysegError: the file cannot be read; with several classes also one whose format loses
            levels, a mask in colour, or a level that is no label.
    """
    if classes == 1:
        return read_mask(path)
    wanted = f"with {classes} classes it should hold the labels 0 (background) to {classes}"
    if _is_lossy(path):
        raise TinysegError(
            f"The mask {path} is in a format that may change levels; {wanted} unchanged.",
            "Save it anew as PNG, from what it was made of.",
        )
    levels = _one_channel(decode(path, indices=True))
    if levels is None:
        raise TinysegError(
            f"The mask {path} is in colour; {wanted}, as grey levels or indices of a palette.",
            "Replace each colour by its label.",
        )
    found = np.unique(levels)
    wrong = found[~np.isin(found, np.arange(classes + 1))]
    if wrong.size:
        raise TinysegError(
            f"The mask {path} has {_listed(wrong)}; {wanted}.",
            "Give these pixels one of these labels, or name their classes in classes.txt.",
        )
    return levels.astype(np.uint8)


def mask_levels(path: Path) -> NDArray[Any]:
    """Reads a mask's values as they are in the file, of a palette its greys, (height, width).

    Raises:
        TinysegError: the file cannot be read, or the mask is in colour.
    """
    array = decode(path)
    levels = array[:, :, 0] if _is_lossy(path) and array.ndim == 3 else _one_channel(array)
    if levels is None:
        raise TinysegError(
            f"The mask {path} is in colour; masks of one class are black where it is not, those of "
            "several need a classes.txt.",
            "Save one mask a class in grey, or name the classes of its palette in classes.txt "
            "beside images/ and masks/.",
        )
    return levels


def _one_channel(array: NDArray[Any]) -> NDArray[Any] | None:
    """The values of a mask as decoded, without alpha; None where they are in colour."""
    if array.ndim == 2:
        return array
    colours = array[:, :, :3] if array.shape[2] > 2 else array[:, :, :1]
    return None if (colours != colours[:, :, :1]).any() else colours[:, :, 0]


def _is_lossy(path: Path) -> bool:
    return path.suffix.lower() in _LOSSY


def _listed(levels: NDArray[Any]) -> str:
    """Levels in words, the first few of many."""
    white = " (which often marks what nobody labelled)" if levels[-1] == _WHITE else ""
    few = [f"{level:g}" for level in (levels if len(levels) <= _FEW else levels[: _FEW - 1])]
    if len(few) < len(levels):
        return f"the levels {', '.join(few)} and {len(levels) - len(few)} more up to {levels[-1]:g}"
    if len(few) == 1:
        return f"the level {few[0]}{white}"
    return f"the levels {', '.join(few[:-1])} and {few[-1]}{white}"
