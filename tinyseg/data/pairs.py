"""Pictures and their masks as a listing of files found them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyseg.data.pictures import read_pair
from tinyseg.data.sample import Sample
from tinyseg.errors import TinysegError
from tinyseg.runs.records import Problem


@dataclass(frozen=True)
class Pair:
    """The files of a picture and its mask."""

    key: str
    group: str
    image: Path
    mask: Path


class PairedFiles:
    """What the datasets in folders share: keys, groups and reading.

    Attributes:
        keys: keys in the order of ``pairs``.
        pairs: the files by key.
        problems: files that were left out, and why.
        source: what opens the dataset again.
    """

    def __init__(self, source: str, pairs: Sequence[Pair], problems: Sequence[Problem]) -> None:
        if not pairs:
            raise TinysegError(
                f"There is no picture with a mask in '{source.partition(':')[2]}'.",
                f"To see what is there: tinyseg data check {source}",
            )
        self.pairs = {pair.key: pair for pair in pairs}
        self.keys = list(self.pairs)
        self.problems = list(problems)
        self.source = source

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
