"""What a dataset is made of."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class Sample(NamedTuple):
    """A picture with its mask.

    Attributes:
        image: uint8, (height, width, channels).
        mask: uint8, (height, width), 0 background, 1 the class.
        key: unique name within the dataset.
        group: what must not be torn apart by a split, such as the patient.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    key: str
    group: str


@runtime_checkable
class Dataset(Protocol):
    """Pictures with masks, read one by one.

    Attributes:
        kind: the name it is registered under.
        keys: all keys; within a group in the order of the volume, where groups are volumes.
        classes: names of the foreground classes.
        channels: channels of every picture.
        groups_are_volumes: whether a group's pictures are slices of one volume, in order.
        source: the folder it was read from, or its own name when it needs none.
        threshold_channel: the channel that a threshold baseline looks at, or None.
    """

    kind: ClassVar[str]
    keys: Sequence[str]
    classes: Sequence[str]
    channels: int
    groups_are_volumes: bool
    source: str
    threshold_channel: int | None

    @classmethod
    def recognises(cls, folder: Path) -> bool:
        """Whether a folder looks like this kind of dataset."""
        ...

    def group(self, key: str) -> str:
        """The group a key belongs to."""
        ...

    def read(self, key: str) -> Sample:
        """Reads one picture with its mask.

        Raises:
            TinysegError: a file is missing, corrupt, or the mask's size is not the picture's.
        """
        ...
