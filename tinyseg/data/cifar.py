"""CIFAR-10 and CIFAR-100 as their makers publish them for Python (Krizhevsky 2009)."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from tinyseg.data.cifar_files import SIDE, Rows, find_set, find_sets, read_names, read_rows
from tinyseg.data.sample import Sample
from tinyseg.runs.records import Task


class CIFARDataset:
    """Pictures of 32 x 32 in colour, each of one class.

    The folder holds the pickles (``train``, ``test`` and ``meta`` of CIFAR-100 with its 100 fine
    classes; ``data_batch_1`` to ``data_batch_5``, ``test_batch`` and ``batches.meta`` of CIFAR-10),
    or has them in ``cifar-100-python/`` or ``cifar-10-batches-py/``. Files with fewer rows than the
    published ones will do. They are read as a whole when the first key or picture is asked for, and
    stay in memory; nothing in them is run. Keys are ``train-00000`` and ``test-00000`` on, in the
    order of the files.

    Args:
        folder: one of the above.

    Raises:
        UsageError: both sets lie there.
        TinysegError: neither does, a file is missing, or the names of the classes cannot be read.
    """

    kind: ClassVar[str] = "cifar"
    task: ClassVar[Task] = "classification"
    layout: ClassVar[str | None] = "cifar-100-python/ or cifar-10-batches-py/, or their pickles"
    channels = 3
    groups_are_volumes = False
    threshold_channel: int | None = None

    def __init__(self, folder: Path) -> None:
        self._files, self._folder = find_set(folder.resolve())
        self.source = f"{self.kind}:{self._folder}"
        self.classes: Sequence[str] = read_names(self._files, self._folder)
        self._read: _Contents | None = None
        self._reading = threading.Lock()

    @classmethod
    def recognises(cls, folder: Path) -> bool:
        """Whether a folder, or one of the sets' own below it, has files called like theirs."""
        return bool(find_sets(folder))

    @classmethod
    def from_source(cls, source: str) -> Self:
        """Finds the files of a folder and reads the names of the classes.

        Raises:
            UsageError: both sets lie there.
            TinysegError: neither does, a file is missing, or the names cannot be read.
        """
        return cls(Path(source))

    @property
    def keys(self) -> Sequence[str]:
        """All keys, those of the training files first.

        Raises:
            TinysegError: a file cannot be read, or does not hold what it should.
        """
        return self._contents.keys

    @property
    def test_keys(self) -> Sequence[str]:
        """The keys of the makers' test part.

        Raises:
            TinysegError: a file cannot be read, or does not hold what it should.
        """
        return self._contents.test_keys

    def group(self, key: str) -> str:
        """Each picture is a group of its own."""
        return key

    def read(self, key: str) -> Sample:
        """One picture with its class.

        Raises:
            TinysegError: a file cannot be read, or does not hold what it should.
        """
        part, _, row = key.partition("-")
        rows = self._contents.rows[part]
        planes = rows.pixels[int(row)].reshape(3, SIDE, SIDE)
        image = np.ascontiguousarray(planes.transpose(1, 2, 0))
        return Sample(image, np.array(rows.labels[int(row)], np.uint8), key, key)

    @property
    def _contents(self) -> "_Contents":
        """What the files hold; one thread reads them, the others wait for it."""
        with self._reading:
            if self._read is None:
                names = {"train": self._files.train, "test": (self._files.test,)}
                classes = len(self.classes)
                self._read = _Contents(
                    {
                        part: read_rows(self._files, self._folder, files, classes)
                        for part, files in names.items()
                    }
                )
            return self._read


class _Contents:
    """Both parts by their name, and the keys of their rows."""

    def __init__(self, rows: Mapping[str, Rows]) -> None:
        self.rows = rows
        self.test_keys = _keys("test", rows["test"])
        self.keys = [*_keys("train", rows["train"]), *self.test_keys]


def _keys(part: str, rows: Rows) -> list[str]:
    return [f"{part}-{row:05d}" for row in range(len(rows.labels))]
