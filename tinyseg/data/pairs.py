"""Pictures and their masks as a listing of files found them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from tinyseg.data.class_names import read_class_names
from tinyseg.data.masks import read_labels
from tinyseg.data.pictures import CHECK, read_image
from tinyseg.data.sample import Sample
from tinyseg.errors import TinysegError
from tinyseg.runs.records import Problem, Task


@dataclass(frozen=True)
class Pair:
    """The files of a picture and its mask."""

    key: str
    group: str
    image: Path
    mask: Path


class PairedFiles(ABC):
    """What the datasets in folders share: keys, groups and reading.

    Attributes:
        keys: keys in the order of ``pairs``.
        pairs: the files by key.
        classes: names of the foreground classes.
        classes_file: what the file in the folder is called that may name them, or None.
        source: what opens the dataset again.
    """

    kind: ClassVar[str]
    task: ClassVar[Task] = "segmentation"
    classes: Sequence[str]
    classes_file: ClassVar[str | None] = None
    test_keys: Sequence[str] = ()

    def __init__(self, source: str, pairs: Sequence[Pair], classes: Sequence[str]) -> None:
        self.pairs = {pair.key: pair for pair in pairs}
        self.keys: Sequence[str] = list(self.pairs)
        self.classes = classes
        self.source = source

    @classmethod
    @abstractmethod
    def list_files(cls, folder: Path) -> tuple[list[Pair], list[Problem]]:
        """The pairs of a folder, and what is wrong with its other files; none is opened."""

    @classmethod
    def class_names(cls, folder: Path) -> Sequence[str]:
        """The foreground classes that a folder's masks tell apart.

        Raises:
            TinysegError: the file that names them cannot be used.
        """
        path = folder / (cls.classes_file or "")
        return read_class_names(path) if cls.classes_file and path.exists() else cls.classes

    @classmethod
    def from_source(cls, source: str) -> Self:
        """Lists the files of a folder.

        Raises:
            TinysegError: there is no picture with a mask, or its classes are named wrongly.
        """
        folder = Path(source).resolve()
        pairs, _ = cls.list_files(folder)
        opened = f"{cls.kind}:{folder}"
        if not pairs:
            raise TinysegError(
                f"There is no picture with a mask in '{folder}'.",
                f"To see what is there: tinyseg data check {opened}",
            )
        return cls(opened, pairs, cls.class_names(folder))

    def group(self, key: str) -> str:
        """The group a key belongs to."""
        return self.pairs[key].group

    def read(self, key: str) -> Sample:
        """Reads one picture with its mask.

        Raises:
            TinysegError: a file is missing, corrupt, the mask holds what is no label, or its size
                is not the picture's.
        """
        pair = self.pairs[key]
        return read_pair(pair.image, pair.mask, key, pair.group, classes=len(self.classes))


def read_pair(
    image_path: Path, mask_path: Path, key: str, group: str, *, classes: int = 1
) -> Sample:
    """Reads a picture and its mask of so many foreground classes (`read_labels`).

    Raises:
        TinysegError: a file cannot be read, a mask does not hold labels, or the two differ in size.
    """
    image, mask = read_image(image_path), read_labels(mask_path, classes)
    if image.shape[:2] != mask.shape:
        raise TinysegError(
            f"The mask {mask_path} is {_size(mask)} pixels, its picture {image_path.name} is "
            f"{_size(image)}; they should be of one size.",
            CHECK,
        )
    return Sample(image, mask, key, group)


def _size(array: NDArray[np.uint8]) -> str:
    return f"{array.shape[1]}x{array.shape[0]}"
