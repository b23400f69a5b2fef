"""From a picture file to an array, whatever the file's form; errors name the file."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tinyseg.data.sample import Sample
from tinyseg.errors import MissingExtraError, TinysegError

#: Endings of picture files, in lower case.
ENDINGS = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".webp"})
_LOSSY = frozenset({".jpg", ".jpeg", ".webp"})
_CHECK = "To see every problem of the folder: tinyseg data check FOLDER"


def read_pair(image_path: Path, mask_path: Path, key: str, group: str) -> Sample:
    """Reads a picture and its mask.

    Raises:
        TinysegError: a file cannot be read, or the two differ in size.
    """
    image, mask = read_image(image_path), read_mask(mask_path)
    if image.shape[:2] != mask.shape:
        raise TinysegError(
            f"The mask {mask_path} is {_size(mask)} pixels, its picture {image_path.name} is "
            f"{_size(image)}; they should be of one size.",
            _CHECK,
        )
    return Sample(image, mask, key, group)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Reads a picture as (height, width, 3): grey is repeated, alpha dropped.

    Pictures of more than 8 bits are stretched from their own minimum and maximum to 0 to 255.

    Raises:
        TinysegError: the file cannot be read.
    """
    return _three_channels(_eight_bits(_decode(path)))


def read_mask(path: Path) -> NDArray[np.uint8]:
    """Reads a mask as (height, width) of 0 and 1.

    Everything above 0 is foreground; 128 and above where the mask's edges may be blurred, which is
    where its brightest value is 255 or its file is lossy.

    Raises:
        TinysegError: the file cannot be read, or the mask is in colour.
    """
    levels = mask_levels(path)
    blurred = path.suffix.lower() in _LOSSY or levels.max(initial=0) == 255
    return (levels >= (128 if blurred else 1)).astype(np.uint8)


def mask_levels(path: Path) -> NDArray[Any]:
    """Reads a mask's values as they are in the file, (height, width).

    Raises:
        TinysegError: the file cannot be read, or the mask is in colour.
    """
    array = _decode(path)
    if array.ndim == 2:
        return array
    colours = array[:, :, :3] if array.shape[2] > 2 else array[:, :, :1]
    if path.suffix.lower() not in _LOSSY and (colours != colours[:, :, :1]).any():
        raise TinysegError(
            f"The mask {path} is in colour; masks here have one class, black where it is not.",
            "Save one mask a class in grey.",
        )
    return colours[:, :, 0]


def _decode(path: Path) -> NDArray[Any]:
    """(height, width) or (height, width, channels), of the file's own type."""
    try:
        if path.suffix.lower() in (".tif", ".tiff"):
            return _decode_tiff(path)
        return _decode_other(path)
    except FileNotFoundError:
        raise TinysegError(f"The file {path} is gone.", _CHECK) from None
    except TinysegError:
        raise
    except Exception as error:  # decoders fail in many ways
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise TinysegError(
            f"The picture {path} cannot be read, it may be corrupt ({reason}).", _CHECK
        ) from error


def _decode_tiff(path: Path) -> NDArray[Any]:
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        try:
            array = series.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            try:
                return _decode_other(path)  # Pillow knows some compressions that need no package
            except OSError:
                raise MissingExtraError(f"Reading {path}", "imagecodecs", "tiff") from error
    if series.axes == "SYX":
        array = np.moveaxis(array, 0, 2)
    elif series.axes not in ("YX", "YXS"):
        shape = " x ".join(str(side) for side in array.shape)
        raise TinysegError(
            f"The picture {path} is a stack of {shape}; a file should hold one picture.", _CHECK
        )
    return array


def _decode_other(path: Path) -> NDArray[Any]:
    with Image.open(path) as picture:
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


def _size(array: NDArray[np.uint8]) -> str:
    return f"{array.shape[1]}x{array.shape[0]}"
