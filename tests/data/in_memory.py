"""A dataset in memory, for tests of what is made of datasets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tinyseg.data.sample import Sample
from tinyseg.runs.records import Task


@dataclass
class InMemory:
    """Pictures of mean grey with masks; a key ``b-2`` belongs to the group ``b``."""

    masks: Mapping[str, NDArray[np.uint8]]
    kind: str = "in-memory"
    task: Task = "segmentation"
    layout: str | None = None
    test_keys: Sequence[str] = ()
    classes: Sequence[str] = ("spot",)
    channels: int = 3
    groups_are_volumes: bool = True
    source: str = "in-memory"
    threshold_channel: int | None = None
    images: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)

    @property
    def keys(self) -> Sequence[str]:
        return list(self.masks)

    def group(self, key: str) -> str:
        return key.partition("-")[0]

    def read(self, key: str) -> Sample:
        mask = self.masks[key]
        grey = np.full((*mask.shape, 3), 128, np.uint8)
        return Sample(self.images.get(key, grey), mask, key, self.group(key))


def bar(first: int, last: int) -> NDArray[np.uint8]:
    """A mask of 4 x 10 whose columns from first to last are marked."""
    mask = np.zeros((4, 10), np.uint8)
    mask[:, first : last + 1] = 1
    return mask
