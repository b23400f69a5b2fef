"""What is wrong with masks, one by one and all together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyseg.data.masks import mask_levels, read_labels
from tinyseg.errors import TinysegError
from tinyseg.runs.records import Problem

_LEVELS = 2  # a mask of one class has two grey values
_LABELS = 64  # levels below look like labels


@dataclass
class MaskLook:
    """What reading a mask showed.

    Attributes:
        problems: what is wrong with it.
        labels: its labels above 0; of one class, levels that may have been meant as labels.
        has_foreground: whether it marks anything.
    """

    problems: list[Problem] = field(default_factory=list[Problem])
    labels: Sequence[int] = ()
    has_foreground: bool = False


def look_at_mask(path: Path, classes: int, size: tuple[int, int] | None) -> MaskLook:
    """Reads a mask.

    Args:
        path: the mask.
        classes: how many classes it tells apart.
        size: height and width of its picture, where that could be read.
    """
    try:
        mask = read_labels(path, classes)
        levels = mask_levels(path) if classes == 1 else mask
    except TinysegError as error:
        return MaskLook([Problem.error(path, error.message)])
    values = np.unique(levels)
    look = MaskLook(has_foreground=bool(mask.any()))
    if classes > 1 or _may_be_labels(values):
        look.labels = [int(value) for value in values if value]
    look.problems += _odd(path, mask, values) if classes == 1 else _uniform(path, values)
    if size not in (None, mask.shape):
        look.problems.append(
            Problem.error(
                path,
                f"is {mask.shape[1]}x{mask.shape[0]} pixels, its picture {size[1]}x{size[0]}",
            )
        )
    return look


def unnamed_classes(names: Path, looks: Mapping[Path, MaskLook]) -> Iterable[Problem]:
    """Masks of a folder without names of classes that have labels nevertheless."""
    alike = {path: look.labels for path, look in looks.items() if look.labels}
    levels = sorted(set[int]().union(*alike.values()))
    if len(levels) < _LEVELS:
        return
    richest = max(alike, key=lambda path: len(alike[path]))
    yield Problem.note(
        names.parent,
        f"has masks with the levels {_listed(levels)}, most of them in {richest.name}, which all "
        f"count as one class; a {names.name} beside images/ and masks/, a name a line, tells "
        "classes apart",
    )


def absent_classes(
    names: Path, classes: Sequence[str], looks: Mapping[Path, MaskLook]
) -> Iterable[Problem]:
    """Classes that no mask has, where there are several."""
    seen = set[int]().union(*(look.labels for look in looks.values()))
    absent = [f"{name} ({n})" for n, name in enumerate(classes, start=1) if n not in seen]
    if len(classes) > 1 and absent and seen:
        yield Problem.warning(names, f"names what no mask has: {', '.join(absent)}")


def _odd(path: Path, mask: NDArray[np.uint8], values: NDArray[Any]) -> Iterable[Problem]:
    """What is odd about a mask of one class with these levels."""
    if len(values) > _LEVELS:
        yield Problem.warning(
            path,
            f"has {len(values)} grey values from {values[0]} to {values[-1]} where two are "
            f"expected; {mask.mean():.1%} of it counts as foreground",
        )
    elif mask.all():
        yield Problem.warning(path, "marks the whole picture")
    elif values.max() > 0 and not mask.any():
        yield Problem.warning(path, f"is nearly black (up to {values[-1]}): no foreground")


def _uniform(path: Path, labels: NDArray[Any]) -> Iterable[Problem]:
    if len(labels) == 1 and labels[0]:
        yield Problem.warning(path, f"has the label {labels[0]} everywhere")


def _may_be_labels(levels: NDArray[Any]) -> bool:
    return levels.dtype.kind in "biu" and levels[0] >= 0 and levels[-1] < _LABELS


def _listed(levels: Sequence[int]) -> str:
    whole = levels == list(range(1, len(levels) + 1))
    return f"0 to {levels[-1]}" if whole else ", ".join(map(str, [0, *levels]))
