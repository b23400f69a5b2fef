"""What scores are made of, image by image, for either task; on disk ``evaluation.csv``."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyseg.errors import TinysegError
from tinyseg.evaluation.decisions import decide, foreground_classes, probabilities
from tinyseg.evaluation.dice import ImageCounts, count_pixels, dice, iou
from tinyseg.evaluation.recognition import ImageLabels, rank_labels
from tinyseg.runs import whole_file

if TYPE_CHECKING:
    from tinyseg.data.cache import Pictures

#: A table with a row an image.
Table = ImageCounts | ImageLabels

#: Figures of images, images last, as `tally` gives them.
Tally = NDArray[np.int64]

_COUNTS = ("tp", "fp", "fn")
_LABELS = ("label", "predicted", "rank")


def tally(logits: NDArray[np.floating], labels: NDArray[np.uint8], threshold: float) -> Tally:
    """Judges logits of some images by their labels, of pixels or of whole images.

    Args:
        logits: (images, channels, height, width), or (images, classes).
        labels: (images, height, width), or (images,).
        threshold: of the decision, where there is one class.
    """
    likely = probabilities(logits)
    if labels.ndim == 1:
        return rank_labels(likely, labels)
    return count_pixels(decide(likely, threshold), labels, foreground_classes(likely.shape[1]))


def make_table(pictures: "Pictures", tallies: Sequence[Tally]) -> Table:
    """A table of all images from the tallies of their batches, in order."""
    kind = ImageLabels if pictures.task == "classification" else ImageCounts
    return kind(list(pictures.keys), list(pictures.groups), *np.concatenate(tallies, axis=-1))


def write_table(path: Path, table: Table) -> None:
    """Writes a row an image, whole or not at all.

    Of pixels: counts, those of several classes as ``tp_1`` and so on, Dice and IoU. Of whole
    images: label, predicted class and the label's rank.
    """
    columns = {"key": table.keys, "group": table.groups} | _figures(table)
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def read_table(path: Path) -> Table:
    """Reads what `write_table` wrote.

    Raises:
        TinysegError: the file is missing or not such a table.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        keys, groups = [row["key"] for row in rows], [row["group"] for row in rows]
        if "rank" in rows[0]:
            return ImageLabels(keys, groups, *(_numbers(rows, name) for name in _LABELS))
        endings = _endings(sum(name.startswith("tp") for name in rows[0]))
        counts = (np.stack([_numbers(rows, name + e) for e in endings]) for name in _COUNTS)
        return ImageCounts(keys, groups, *counts)
    except (OSError, IndexError, KeyError, TypeError, ValueError) as error:
        raise TinysegError(
            f"{path} should be a table with the columns key, group, {', '.join(_COUNTS)} or "
            f"{', '.join(_LABELS)}: {error}.",
            "Evaluate the run again with tinyseg evaluate.",
        ) from None


def _figures(table: Table) -> dict[str, list[float]]:
    if isinstance(table, ImageLabels):
        return {name: getattr(table, name).tolist() for name in _LABELS}
    columns: dict[str, list[float]] = {}
    for number, ending in enumerate(_endings(len(table.tp))):
        columns |= {name + ending: getattr(table, name)[number].tolist() for name in _COUNTS}
    means = (measure(*table[2:]).mean(axis=0).tolist() for measure in (dice, iou))
    return columns | dict(zip(("dice", "iou"), means, strict=True))


def _endings(classes: int) -> list[str]:
    """What tells the columns of several classes apart."""
    if classes == 0:
        raise KeyError("tp")
    return [""] if classes == 1 else [f"_{number}" for number in range(1, classes + 1)]


def _numbers(rows: Sequence[dict[str, str]], name: str) -> NDArray[np.int64]:
    return np.array([int(row[name]) for row in rows], np.int64)
