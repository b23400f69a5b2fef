"""How good predictions are on a part of a dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinyseg.data.preprocessing import Preprocessing
from tinyseg.evaluation.decisions import Predictor
from tinyseg.evaluation.dice import ImageCounts, dice, iou
from tinyseg.evaluation.recognition import ImageLabels
from tinyseg.evaluation.scores import mean, score, score_classes, score_recognition
from tinyseg.evaluation.tables import Table, Tally, make_table, tally
from tinyseg.progress import Progress, silent
from tinyseg.runs.records import (
    ClassificationEvaluation,
    EvaluationRecord,
    SegmentationEvaluation,
)

if TYPE_CHECKING:
    from tinyseg.data.cache import Pictures


@dataclass(frozen=True)
class Evaluation:
    """An evaluation.

    Attributes:
        record: the scores, as ``evaluation.json`` holds them.
        table: the figures of every image, as ``evaluation.csv`` holds them.
    """

    record: EvaluationRecord
    table: Table


def count_images(
    predictor: Predictor,
    pictures: "Pictures",
    preprocessing: Preprocessing,
    *,
    threshold: float = 0.5,
    batch_size: int = 16,
    progress: Progress = silent,
) -> Table:
    """Predicts every picture and judges it, at the size of the network's input.

    Args:
        predictor: gives logits for a batch.
        pictures: already resized to the network's input.
        preprocessing: normalises them.
        threshold: from this probability on, a pixel belongs to a single class.
        batch_size: pictures a call of the predictor.
        progress: told after every batch.
    """
    total = len(pictures.keys)
    tallies: list[Tally] = []
    for start in range(0, total, batch_size):
        batch = slice(start, start + batch_size)
        logits = predictor(preprocessing.normalise(pictures.images[batch]))
        tallies.append(tally(logits, pictures.labels[batch], threshold))
        progress("Evaluating", min(start + batch_size, total), total, "")
    return make_table(pictures, tallies)


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
    baselines: Mapping[str, Table] | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Scores with intervals over groups: Dice and IoU of masks, top-1 and top-5 of whole pictures.

    Args:
        predictor: gives logits for a batch.
        pictures: already resized to the network's input, at whose size pixels are counted.
        preprocessing: normalises them.
        subject: what is evaluated, for the record.
        part: the part of the dataset that the pictures are, for the record.
        data: where the pictures come from, for the record.
        classes: names of the classes that the pictures show.
        groups_are_volumes: whether a group's pictures are slices of one volume.
        threshold: from this probability on, a pixel belongs to a single class.
        batch_size: pictures a call of the predictor.
        baselines: by name, tables of the same pictures, whose headlines are put beside.
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
    common: dict[str, Any] = {
        "subject": subject,
        "split": part,
        "data": data,
        "size": preprocessing.size,
        "images": len(table.keys),
        "groups": len(set(table.groups)),
    }
    if isinstance(table, ImageLabels):
        return Evaluation(_recognition(table, classes, baselines or {}, common), table)
    volumes = groups_are_volumes
    record = SegmentationEvaluation(
        **common,
        threshold=threshold,
        dice=score(table, dice, groups_are_volumes=volumes),
        iou=score(table, iou, groups_are_volumes=volumes),
        baselines={
            name: score(baseline, dice, groups_are_volumes=volumes)
            for name, baseline in (baselines or {}).items()
            if isinstance(baseline, ImageCounts)
        },
        per_class=score_classes(table, classes, groups_are_volumes=volumes),
    )
    return Evaluation(record, table)


def _recognition(
    table: ImageLabels,
    classes: Sequence[str],
    baselines: Mapping[str, Table],
    common: Mapping[str, Any],
) -> ClassificationEvaluation:
    top1, top5, f1, per_class = score_recognition(table, classes)
    return ClassificationEvaluation(
        **common,
        top1=top1,
        top5=top5,
        macro_f1=f1,
        baselines={
            name: mean(baseline, groups_are_volumes=False)[1].mean
            for name, baseline in baselines.items()
        },
        per_class=per_class,
    )
