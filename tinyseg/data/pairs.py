"""Pictures and their masks as a listing of files found them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from tinyseg.data.pictures import read_pair
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
        source: what opens the dataset again.
    """

    kind: ClassVar[str]
    task: ClassVar[Task] = "segmentation"
    test_keys: Sequence[str] = ()

    def __init__(self, source: str, pairs: Sequence[Pair]) -> None:
        self.pairs = {pair.key: pair for pair in pairs}
        self.keys: Sequence[str] = list(self.pairs)
        self.source = source

    @classmethod
    @abstractmethod
    def list_files(cls, folder: Path) -> tuple[list[Pair], list[Problem]]:
        """The pairs of a folder, and what is wrong with its other files; none is opened."""

    @classmethod
    def from_source(cls, source: str) -> Self:
        """Lists the files of a folder.

        Raises:
            TinysegError: there is no picture with a mask.
        """
        folder = Path(source).resolve()
        pairs, _ = cls.list_files(folder)
        opened = f"{cls.kind}:{folder}"
        if not pairs:
            raise TinysegError(
                f"There is no picture with a mask in '{folder}'.",
                f"To see what is there: tinyseg data check {opened}",
            )
        return cls(opened, pairs)

    def group(self, key: str) -> str:
        """The group a key belongs to."""
        return self.pairs[key].group

    def read(self, key: str) -> Sample:
        """Reads one picture with its mask.

        Raises:
            TinysegError: a file is missing, corrupt, or the mask's size is not the picture's.
        """
        pair = self.pairs[key]
        return read_pair(pair.image, pair.mask, key, pair.group)
