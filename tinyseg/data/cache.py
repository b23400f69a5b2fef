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
from tinyseg.runs.records import Task


@dataclass(frozen=True)
class Pictures:
    """Pictures of one size with their labels.

    Attributes:
        images: uint8, (pictures, size, size, channels).
        labels: uint8, (pictures, size, size) of pixels, or (pictures,) of whole pictures.
        keys: a key a picture.
        groups: a group a picture.
        strata: (pictures,): what every part of a split should have its share of, whether there was
            any foreground of any class (1 or 0) before the mask was resized, or the label of the
            picture.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    keys: list[str]
    groups: list[str]
    strata: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def task(self) -> Task:
        """What networks learn from them."""
        return "classification" if self.labels.ndim == 1 else "segmentation"

    @property
    def strata_by_key(self) -> dict[str, int]:
        """The stratum of each key, as `make_split` wants them."""
        return dict(zip(self.keys, self.strata.tolist(), strict=True))

    @property
    def labels_by_key(self) -> dict[str, NDArray[np.uint8]]:
        """The labels of each key, as `audit_leaks` wants them."""
        return dict(zip(self.keys, self.labels, strict=True))

    def part(self, keys: Sequence[str]) -> "Pictures":
        """The pictures of some keys, in their order, copied."""
        places = {key: place for place, key in enumerate(self.keys)}
        rows = [places[key] for key in keys]
        return Pictures(
            self.images[rows],
            self.labels[rows],
            list(keys),
            [self.groups[row] for row in rows],
            self.strata[rows],
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
    pixels = (size, size) if dataset.task == "segmentation" else ()
    labels = np.empty((len(keys), *pixels), np.uint8)
    strata = np.empty(len(keys), np.int64)

    def load(place: int) -> None:
        sample = dataset.read(keys[place])
        images[place] = resize_image(sample.image, (size, size))
        labels[place] = resize_mask(sample.labels, (size, size)) if pixels else sample.labels
        strata[place] = sample.labels.any() if pixels else sample.labels

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, _ in enumerate(pool.map(load, range(len(keys))), start=1):
            progress("Reading pictures", done, len(keys), "")
    return Pictures(images, labels, list(keys), [dataset.group(key) for key in keys], strata)
