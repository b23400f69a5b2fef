"""From a picture file to an array, whatever the file's form; errors name the file."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tinyseg.errors import MissingExtraError, TinysegError

#: Endings of picture files, in lower case.
ENDINGS = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".webp"})
CHECK = "To see every problem of the folder: tinyseg data check FOLDER"


def read_image(path: Path) -> NDArray[np.uint8]:
    """Reads a picture as (height, width, 3): grey is repeated, alpha dropped.

    Pictures of more than 8 bits are stretched from their own minimum and maximum to 0 to 255.

    Raises:
        TinysegError: the file cannot be read.
    """
    return _three_channels(_eight_bits(decode(path)))


def decode(path: Path, *, indices: bool = False) -> NDArray[Any]:
    """(height, width) or (height, width, channels), of the file's own type.

    Args:
        path: the file.
        indices: whether to give the indices of a palette instead of its colours.
    """
    try:
        if path.suffix.lower() in (".tif", ".tiff"):
            return _decode_tiff(path, indices)
        return _decode_other(path, indices)
    except FileNotFoundError:
        raise TinysegError(f"The file {path} is gone.", CHECK) from None
    except TinysegError:
        raise
    except Exception as error:  # decoders fail in many ways
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise TinysegError(
            f"The picture {path} cannot be read, it may be corrupt ({reason}).", CHECK
        ) from error


def _decode_tiff(path: Path, indices: bool) -> NDArray[Any]:
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        try:
            array = series.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            try:
                # Pillow knows some compressions that need no package.
                return _decode_other(path, indices)
            except OSError:
                raise MissingExtraError(f"Reading {path}", "imagecodecs", "tiff") from error
    if series.axes == "SYX":
        array = np.moveaxis(array, 0, 2)
    elif series.axes not in ("YX", "YXS"):
        shape = " x ".join(str(side) for side in array.shape)
        raise TinysegError(
            f"The picture {path} is a stack of {shape}; a file should hold one picture.", CHECK
        )
    return array


def _decode_other(path: Path, indices: bool) -> NDArray[Any]:
    with Image.open(path) as picture:
        if picture.mode == "P" and indices:
            return np.asarray(picture)
        if picture.mode in ("P", "CMYK", "YCbCr", "HSV", "LAB", "PA"):
            return np.asarray(picture.convert("RGB"))
        return np.asarray(picture)


def _eight_bits(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    values = array.astype(np.float64)
    finite = values[np.isfinite(values)]
    lowest, highest = (finite.min(), finite.max()) if finite.size else (0, 0)
    share = np.nan_to_num((values - lowest) / max(highest - lowest, 1e-9), posinf=0, neginf=0)
    return (share * 255 + 0.5).astype(np.uint8)


def _three_channels(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if array.ndim == 2:
        return np.repeat(array[:, :, None], 3, axis=2)
    if array.shape[2] < 3:  # grey, or grey with alpha
        return np.repeat(array[:, :, :1], 3, axis=2)
    return np.ascontiguousarray(array[:, :, :3])
