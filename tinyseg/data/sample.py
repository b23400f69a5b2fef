"""What a dataset is made of."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tinyseg.runs.records import Task


class Sample(NamedTuple):
    """A picture with its labels.

    Attributes:
        image: uint8, (height, width, channels).
        labels: uint8, (height, width), a label a pixel, 0 background, n the n-th class; or (), one
            for the whole picture, n the class after n others.
        key: unique name within the dataset.
        group: what must not be torn apart by a split, such as the patient.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    key: str
    group: str


@runtime_checkable
class Dataset(Protocol):
    """Pictures with labels, read one by one.

    Attributes:
        kind: the name it is registered under.
        task: what networks learn from it: a label a pixel, or one a picture.
        layout: what a folder of this kind looks like, for messages; None where none is needed.
        keys: all keys; within a group in the order of the volume, where groups are volumes.
        test_keys: the keys that its makers chose for the test; empty where they chose none.
        classes: names of the foreground classes, or of all classes of whole pictures.
        channels: channels of every picture.
        groups_are_volumes: whether a group's pictures are slices of one volume, in order.
        source: what `open_dataset` opens it with again, ``KIND:FOLDER`` for those in folders.
        threshold_channel: the channel that a threshold baseline looks at, or None.
    """

    kind: ClassVar[str]
    task: ClassVar[Task]
    layout: ClassVar[str | None]
    keys: Sequence[str]
    test_keys: Sequence[str]
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
        """Reads one picture with its labels.

        Raises:
            TinysegError: a file is missing, corrupt, or the mask's size is not the picture's.
        """
        ...
