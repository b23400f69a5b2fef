"""The files of CIFAR-10 and CIFAR-100, from the folder they lie in to pictures and labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyseg.data.restricted_pickle import read_pickled_dict, text_of
from tinyseg.errors import TinysegError, UsageError

SIDE = 32
_VALUES = 3 * SIDE * SIDE
_MOST_CLASSES = 256  # a label is a uint8


@dataclass(frozen=True)
class Layout:
    """How one of the sets names its files and what is in them.

    Attributes:
        title: of the set.
        name: of the set, where it is fetched.
        folder: that its makers' archive has.
        train: files of the training part, in order.
        test: the file of the test part.
        meta: the file with the names of the classes.
        labels: key of the labels in ``train`` and ``test``.
        names: key of the names in ``meta``.
    """

    title: str
    name: str
    folder: str
    train: tuple[str, ...]
    test: str
    meta: str
    labels: str
    names: str

    @property
    def files(self) -> tuple[str, ...]:
        """All files."""
        return (*self.train, self.test, self.meta)

    @property
    def mend(self) -> str:
        """What helps where a file is broken."""
        return f"Bring it again, such as with: tinyseg data fetch {self.name}"


LAYOUTS = (
    Layout(
        "CIFAR-100", "cifar100", "cifar-100-python",
        ("train",), "test", "meta", "fine_labels", "fine_label_names",
    ),
    Layout(
        "CIFAR-10", "cifar10", "cifar-10-batches-py",
        tuple(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta",
        "labels", "label_names",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """Pictures of a part, as they are in its files.

    Attributes:
        pixels: uint8, (pictures, 3072), the planes red, green and blue, each by rows.
        labels: uint8, (pictures,).
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def find_sets(folder: Path) -> list[tuple[Layout, Path]]:
    """The sets whose files, at least two of them, lie in a folder or in their own one below it.

    No file is opened.
    """
    return [
        (layout, place)
        for layout in LAYOUTS
        for place in (folder, folder / layout.folder)
        if sum((place / name).is_file() for name in layout.files) > 1
    ]


def find_set(folder: Path) -> tuple[Layout, Path]:
    """The one set of a folder, and the folder that its files lie in.

    Raises:
        UsageError: there are two.
        TinysegError: there is none, or a file of it is missing.
    """
    found = find_sets(folder)
    if not found:
        names = " or ".join(f"{layout.folder}/ of {layout.title}" for layout in LAYOUTS)
        raise TinysegError(
            f"The folder '{folder}' holds no pickles of CIFAR, and no {names}.",
            "To fetch them: tinyseg data fetch cifar100",
        )
    if len(found) > 1:
        both = " and ".join(f"{layout.title} in {place}" for layout, place in found)
        raise UsageError(
            f"The folder '{folder}' holds {both}.", f"Name one of them, such as {found[0][1]}"
        )
    layout, place = found[0]
    missing = [name for name in layout.files if not (place / name).is_file()]
    if missing:
        raise TinysegError(
            f"The folder '{place}' lacks {', '.join(missing)} of {layout.title}.",
            layout.mend,
        )
    return layout, place


def read_names(layout: Layout, folder: Path) -> list[str]:
    """Names of the classes, in the order of their labels.

    Raises:
        TinysegError: the file cannot be read, or has no such names.
    """
    path = folder / layout.meta
    names = read_pickled_dict(path, layout.mend).get(layout.names)
    if not isinstance(names, list) or not 0 < len(names) <= _MOST_CLASSES:
        raise _mistake(path, layout, f"has no list '{layout.names}' of 1 to {_MOST_CLASSES} names")
    texts = [text_of(name) for name in names]
    if len(set(texts)) < len(texts):
        raise _mistake(path, layout, "has two classes of one name")
    return texts


def read_rows(layout: Layout, folder: Path, files: Sequence[str], classes: int) -> Rows:
    """Pictures and labels of some files, one after the other; a file may have any number of rows.

    Raises:
        TinysegError: a file cannot be read, or does not hold pictures of 3 x 32 x 32 with a label
            each.
    """
    parts = list(_each_file(layout, folder, files, classes))
    if len(parts) == 1:
        return parts[0]
    return Rows(
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )


def _each_file(layout: Layout, folder: Path, files: Sequence[str], classes: int) -> Iterator[Rows]:
    for name in files:
        path = folder / name
        content = read_pickled_dict(path, layout.mend)
        pixels = _pixels(content.get("data"), path, layout)
        labels = _labels(content.get(layout.labels), path, layout)
        if len(pixels) != len(labels):
            what = f"has {len(pixels):,} pictures and {len(labels):,} labels"
            raise _mistake(path, layout, what)
        wrong = np.flatnonzero((labels < 0) | (labels >= classes))
        if len(wrong):
            raise _mistake(
                path,
                layout,
                f"has the label {labels[wrong[0]]} in row {wrong[0]}, where {layout.meta} names "
                f"{classes} classes from 0 on ({len(wrong):,} of {len(labels):,} rows are like it)",
            )
        yield Rows(pixels, labels.astype(np.uint8))


def _pixels(data: Any, path: Path, layout: Layout) -> NDArray[np.uint8]:
    if not isinstance(data, np.ndarray):
        raise _mistake(path, layout, "has no array 'data'")
    if data.ndim != 2 or data.shape[1] != _VALUES or not len(data):
        shape = "x".join(map(str, data.shape))
        what = f"has 'data' of {shape} where rows of {_VALUES} values (3x{SIDE}x{SIDE}) should be"
        raise _mistake(path, layout, what)
    return data


def _labels(labels: Any, path: Path, layout: Layout) -> NDArray[np.int64]:
    if isinstance(labels, np.ndarray) and labels.ndim == 1:
        labels = labels.tolist()
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise _mistake(path, layout, f"has no list '{layout.labels}' of whole numbers")
    return np.clip(np.array(labels, object), -1, 1 << 30).astype(np.int64)


def _mistake(path: Path, layout: Layout, what: str) -> TinysegError:
    return TinysegError(f"The file {path} {what}.", layout.mend)
