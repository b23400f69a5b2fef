"""Somebody else's package: a network, a dataset, an exporter and a device of their own."""

from pathlib import Path
from typing import ClassVar

import numpy as np
from torch import nn

from tinyseg.data.sample import Sample
from tinyseg.networks import Network


def _threshold(in_channels: int = 3, classes: int = 1, taps: int = 1) -> nn.Module:
    return nn.Conv2d(in_channels, classes, taps, padding=taps // 2)


ONE_LAYER = Network(_threshold, family="Example")


class Discs:
    """Four pictures of a disc."""

    kind: ClassVar[str] = "discs"
    layout: ClassVar[str | None] = "discs.txt"
    keys = ("a", "b", "c", "d")
    classes = ("disc",)
    channels = 3
    groups_are_volumes = False
    source = "discs"
    threshold_channel = None

    @classmethod
    def recognises(cls, folder: Path) -> bool:
        return (folder / "discs.txt").is_file()

    @classmethod
    def from_source(cls, source: str) -> "Discs":
        return cls()

    def group(self, key: str) -> str:
        return key

    def read(self, key: str) -> Sample:
        rows, columns = np.mgrid[:64, :64]
        radius = 8 + 4 * self.keys.index(key)
        mask = ((rows - 32) ** 2 + (columns - 32) ** 2 < radius**2).astype(np.uint8)
        return Sample(np.repeat(mask[..., None] * 200, 3, 2).astype(np.uint8), mask, key, key)
