"""How good predictions are on a part of a dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyseg.data.preprocessing import Preprocessing
from tinyseg.evaluation.decisions import Predictor, decide, probabilities
from tinyseg.evaluation.dice import ImageCounts, count_pixels, dice, iou
from tinyseg.evaluation.scores import score
from tinyseg.progress import Progress, silent
from tinyseg.runs.records import ClassScores, EvaluationRecord, Scores

if TYPE_CHECKING:
    from tinyseg.data.cache import Pictures


@dataclass(frozen=True)
class Evaluation:
    """An evaluation.

    Attributes:
        record: the scores, as ``evaluation.json`` holds them.
        table: the counts of every image, as ``evaluation.csv`` holds them.
    """

    record: EvaluationRecord
    table: ImageCounts


def count_images(
    predictor: Predictor,
    pictures: "Pictures",
    preprocessing: Preprocessing,
    *,
    threshold: float = 0.5,
    batch_size: int = 16,
    progress: Progress = silent,
) -> ImageCounts:
    """Predicts every picture and counts its pixels, at the size of the network's input.

    Args:
        predictor: gives logits for a batch.
        pictures: already resized to the network's input.
        preprocessing: normalises them.
        threshold: from this probability on, a pixel belongs to the class.
        batch_size: pictures a call of the predictor.
        progress: told after every batch.
    """
    total = len(pictures.keys)
    counts: list[NDArray[np.int64]] = []
    for start in range(0, total, batch_size):
        batch = slice(start, start + batch_size)
        logits = predictor(preprocessing.normalise(pictures.images[batch]))
        labels = decide(probabilities(logits), threshold)
        counts.append(count_pixels(labels, pictures.labels[batch]))
        progress("Evaluating", min(start + batch_size, total), total, "")
    tp, fp, fn = np.concatenate(counts, axis=1)
    return ImageCounts(list(pictures.keys), list(pictures.groups), tp, fp, fn)


def evaluate(
    predictor: Predictor,
    pictures: "Pictures",
    preprocessing: Preprocessing,
    *,
    subject: str,
    part: str,
    data: str,
    classes: Sequence[str],
    groups_are_volumes: bool,
    threshold: float = 0.5,
    batch_size: int = 16,
    baselines: Mapping[str, Scores] | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Dice and IoU in their three meanings, with intervals over groups.

    Args:
        predictor: gives logits for a batch.
        pictures: already resized to the network's input, at whose size the pixels are counted.
        preprocessing: normalises them.
        subject: what is evaluated, for the record.
        part: the part of the dataset that the pictures are, for the record.
        data: where the pictures come from, for the record.
        classes: names of the foreground classes; there is one.
        groups_are_volumes: whether a group's pictures are slices of one volume.
        threshold: from this probability on, a pixel belongs to the class.
        batch_size: pictures a call of the predictor.
        baselines: Dice of baselines on the same pictures, put beside.
        progress: told after every batch.
    """
    table = count_images(
        predictor,
        pictures,
        preprocessing,
        threshold=threshold,
        batch_size=batch_size,
        progress=progress,
    )
    dice_scores = score(table, dice, groups_are_volumes=groups_are_volumes)
    iou_scores = score(table, iou, groups_are_volumes=groups_are_volumes)
    record = EvaluationRecord(
        subject=subject,
        split=part,
        data=data,
        size=preprocessing.size,
        threshold=threshold,
        images=len(table.keys),
        groups=len(set(table.groups)),
        dice=dice_scores,
        iou=iou_scores,
        baselines=dict(baselines or {}),
        per_class=[ClassScores(name=name, dice=dice_scores, iou=iou_scores) for name in classes],
    )
    return Evaluation(record, table)
