"""From tables to scores with their intervals."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyseg.errors import TinysegError
from tinyseg.evaluation.dice import EMPTY_RULE, ImageCounts, dice, iou, volumes
from tinyseg.evaluation.intervals import mean_interval
from tinyseg.evaluation.recognition import ImageLabels, count_classes, macro_f1, top
from tinyseg.evaluation.tables import Table
from tinyseg.runs.records import (
    ClassificationEvaluation,
    ClassRecognised,
    ClassScores,
    Estimate,
    EvaluationRecord,
    ImageEstimate,
    Measure,
    Scores,
)

#: `dice` or `iou`.
Overlap = Callable[[ArrayLike, ArrayLike, ArrayLike], NDArray[np.float64]]


def score(table: ImageCounts, overlap: Overlap, *, groups_are_volumes: bool) -> Scores:
    """Dice or IoU in its three meanings, a mean over the classes, with intervals over groups."""
    per_image = _mean(table, overlap)
    sums = (counts.sum(axis=1) for counts in (table.tp, table.fp, table.fn))
    return Scores(
        per_volume=_mean(volumes(table), overlap) if groups_are_volumes else None,
        per_image=ImageEstimate(**per_image.model_dump(), empty_rule=EMPTY_RULE),
        pooled=float(overlap(*sums).mean()),
    )


def score_classes(
    table: ImageCounts, names: Sequence[str], *, groups_are_volumes: bool
) -> list[ClassScores]:
    """Dice and IoU of each foreground class."""
    return [
        ClassScores(
            name=name,
            dice=score(table.of_class(number), dice, groups_are_volumes=groups_are_volumes),
            iou=score(table.of_class(number), iou, groups_are_volumes=groups_are_volumes),
        )
        for number, name in enumerate(names)
    ]


def score_recognition(
    table: ImageLabels, names: Sequence[str]
) -> tuple[Estimate, Estimate, float, list[ClassRecognised]]:
    """Top-1, top-5, macro F1, and each class."""
    counts = count_classes(table, len(names))
    classes = [
        ClassRecognised(
            name=name,
            images=int(own),
            recall=right / own if own else None,
            precision=right / taken if taken else None,
            f1=None if np.isnan(f1) else float(f1),
        )
        for name, own, taken, right, f1 in zip(names, *counts, counts.f1, strict=True)
    ]
    top1, top5 = (mean_interval(top(table, places), table.groups) for places in (1, 5))
    return top1, top5, macro_f1(counts), classes


def headline(record: EvaluationRecord) -> tuple[Measure, Estimate]:
    """The score that stands first, and which one it is.

    Dice over volumes where groups are volumes, else over images; top-1 of whole images.
    """
    if isinstance(record, ClassificationEvaluation):
        return "top1", record.top1
    if record.dice.per_volume is not None:
        return "per_volume", record.dice.per_volume
    return "per_image", record.dice.per_image


def mean(table: Table, *, groups_are_volumes: bool) -> tuple[Measure, Estimate]:
    """The headline of a table, as `headline` has it of a record."""
    measure, values, groups = _headline(table, groups_are_volumes)
    return measure, mean_interval(values, groups)


def difference(table: Table, other: Table, *, groups_are_volumes: bool) -> Estimate:
    """Headline of ``table`` less that of ``other``, paired, with its interval over groups.

    Raises:
        TinysegError: the tables are not of the same images.
    """
    if type(table) is not type(other) or (table.keys, table.groups) != (other.keys, other.groups):
        raise TinysegError("Scores can only be compared pair by pair on the same images.")
    _, values, groups = _headline(table, groups_are_volumes)
    return mean_interval(values - _headline(other, groups_are_volumes)[1], groups)


def _headline(
    table: Table, groups_are_volumes: bool
) -> tuple[Measure, NDArray[np.float64], list[str]]:
    """What the headline is the mean of: a value a volume or an image."""
    if isinstance(table, ImageLabels):
        return "top1", top(table, 1), table.groups
    if groups_are_volumes:
        table = volumes(table)
    values = dice(*table[2:]).mean(axis=0)
    return ("per_volume" if groups_are_volumes else "per_image"), values, table.groups


def _mean(table: ImageCounts, overlap: Overlap) -> Estimate:
    return mean_interval(overlap(*table[2:]).mean(axis=0), table.groups)
