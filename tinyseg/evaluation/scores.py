"""From counts of pixels to scores, and the table on disk (``evaluation.csv``)."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyseg.errors import TinysegError
from tinyseg.evaluation.dice import EMPTY_RULE, ImageCounts, dice, iou, volumes
from tinyseg.evaluation.intervals import mean_interval
from tinyseg.runs import whole_file
from tinyseg.runs.records import Estimate, ImageEstimate, Scores

Measure = Callable[[ArrayLike, ArrayLike, ArrayLike], NDArray[np.float64]]

#: Which mean stands first: over volumes where groups are volumes, else over images.
Headline = Literal["per_volume", "per_image"]

_COLUMNS = ("key", "group", "tp", "fp", "fn", "dice", "iou")


def score(table: ImageCounts, measure: Measure, *, groups_are_volumes: bool) -> Scores:
    """A measure (`dice` or `iou`) in its three meanings, with intervals over groups."""
    per_image = mean_interval(measure(*table[2:]), table.groups)
    return Scores(
        per_volume=_mean(volumes(table), measure) if groups_are_volumes else None,
        per_image=ImageEstimate(**per_image.model_dump(), empty_rule=EMPTY_RULE),
        pooled=float(measure(table.tp.sum(), table.fp.sum(), table.fn.sum())),
    )


def headline(scores: Scores) -> tuple[Headline, Estimate]:
    """The mean that stands first, and which one it is."""
    if scores.per_volume is not None:
        return "per_volume", scores.per_volume
    return "per_image", scores.per_image


def difference(table: ImageCounts, other: ImageCounts, *, groups_are_volumes: bool) -> Estimate:
    """Headline Dice of ``table`` less that of ``other``, paired, with its interval over groups.

    Raises:
        TinysegError: the tables are not of the same images.
    """
    if table.keys != other.keys or table.groups != other.groups:
        raise TinysegError("Dice can only be compared pair by pair on the same images.")
    if groups_are_volumes:
        table, other = volumes(table), volumes(other)
    return mean_interval(dice(*table[2:]) - dice(*other[2:]), table.groups)


def write_table(path: Path, table: ImageCounts) -> None:
    """Writes a row an image, with its Dice and IoU, whole or not at all."""
    dices, ious = dice(*table[2:]).tolist(), iou(*table[2:]).tolist()
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows(zip(*table, dices, ious, strict=True))


def read_table(path: Path) -> ImageCounts:
    """Reads what `write_table` wrote.

    Raises:
        TinysegError: the file is missing or not such a table.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        counts = [
            np.array([int(row[name]) for row in rows], np.int64) for name in ("tp", "fp", "fn")
        ]
        return ImageCounts([row["key"] for row in rows], [row["group"] for row in rows], *counts)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise TinysegError(
            f"{path} should be a table with the columns {', '.join(_COLUMNS)}: {error}.",
            "Evaluate the run again with tinyseg evaluate.",
        ) from None


def _mean(table: ImageCounts, measure: Measure) -> Estimate:
    return mean_interval(measure(*table[2:]), table.groups)
