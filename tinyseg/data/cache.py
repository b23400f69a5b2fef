"""Pictures in memory, decoded and resized once, so that the disk never limits a training."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyseg.data.preprocessing import resize_image, resize_mask
from tinyseg.data.sample import Dataset
from tinyseg.progress import Progress, silent


@dataclass(frozen=True)
class Pictures:
    """Pictures and masks of one size.

    Attributes:
        images: uint8, (pictures, size, size, channels).
        masks: uint8 of 0 and 1, (pictures, size, size).
        keys: a key a picture.
        groups: a group a picture.
        foreground: bool, (pictures,): whether the mask had any foreground before it was resized.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    keys: list[str]
    groups: list[str]
    foreground: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def has_foreground(self) -> dict[str, bool]:
        """Whether the mask of each key has any foreground, as `make_split` wants it."""
        return dict(zip(self.keys, self.foreground.tolist(), strict=True))

    @property
    def masks_by_key(self) -> dict[str, NDArray[np.uint8]]:
        """The mask of each key, as `audit_leaks` wants them."""
        return dict(zip(self.keys, self.masks, strict=True))

    def part(self, keys: Sequence[str]) -> "Pictures":
        """The pictures of some keys, in their order, copied."""
        places = {key: place for place, key in enumerate(self.keys)}
        rows = [places[key] for key in keys]
        return Pictures(
            self.images[rows],
            self.masks[rows],
            list(keys),
            [self.groups[row] for row in rows],
            self.foreground[rows],
        )

    def mean_std(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel's values in [0, 1], over all pictures."""
        values = np.arange(256) / 255
        means: list[float] = []
        deviations: list[float] = []
        for channel in range(self.images.shape[3]):
            share = np.bincount(self.images[..., channel].ravel(), minlength=256)
            share = share / share.sum()
            mean = float(share @ values)
            means.append(mean)
            deviations.append(float(np.sqrt(share @ (values - mean) ** 2)))
        return tuple(means), tuple(deviations)


def load_pictures(
    dataset: Dataset, keys: Sequence[str], size: int, progress: Progress = silent
) -> Pictures:
    """Reads pictures and resizes them to ``size`` x ``size``, on all cores.

    Raises:
        TinysegError: a file is missing or corrupt, or a mask's size is not its picture's.
    """
    images = np.empty((len(keys), size, size, dataset.channels), np.uint8)
    masks = np.empty((len(keys), size, size), np.uint8)
    foreground = np.empty(len(keys), np.bool_)

    def load(place: int) -> None:
        sample = dataset.read(keys[place])
        images[place] = resize_image(sample.image, (size, size))
        masks[place] = resize_mask(sample.mask, (size, size))
        foreground[place] = sample.mask.any()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, _ in enumerate(pool.map(load, range(len(keys))), start=1):
            progress("Reading pictures", done, len(keys), "")
    return Pictures(images, masks, list(keys), [dataset.group(key) for key in keys], foreground)
