"""What a dataset is made of."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol, Self, runtime_checkable

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
        layout: what a folder of this kind looks like, for messages; None where none is needed.
        keys: all keys; within a group in the order of the volume, where groups are volumes.
        classes: names of the foreground classes.
        channels: channels of every picture.
        groups_are_volumes: whether a group's pictures are slices of one volume, in order.
        source: what `open_dataset` opens it with again, ``KIND:FOLDER`` for those in folders.
        threshold_channel: the channel that a threshold baseline looks at, or None.
    """

    kind: ClassVar[str]
    layout: ClassVar[str | None]
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

    @classmethod
    def from_source(cls, source: str) -> Self:
        """Opens it; no picture is read.

        Args:
            source: what follows ``KIND:``, a folder where the kind needs one; empty for the kind's
                name alone.

        Raises:
            TinysegError: there is no picture to be found.
        """
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
