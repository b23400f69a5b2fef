"""Top-1, top-5 and macro F1 of whole pictures; defined in ``docs/measurements.md``."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class ImageLabels(NamedTuple):
    """What every image shows and what it was taken for; labels count from 0.

    Attributes:
        keys: names of the images.
        groups: the group of each.
        label: what it shows, (images,).
        predicted: the most probable class.
        rank: the place of what it shows among all classes, the most probable being 1.
    """

    keys: list[str]
    groups: list[str]
    label: NDArray[np.int64]
    predicted: NDArray[np.int64]
    rank: NDArray[np.int64]


def rank_labels(probabilities: NDArray[np.float32], labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Compares probabilities (images, classes) with the labels (images,).

    Returns:
        (3, images): label, most probable class, and rank of the label. Of equally probable classes
        the one with the lower number comes first.
    """
    true = labels.astype(np.int64)
    own = np.take_along_axis(probabilities, true[:, None], axis=1)
    numbers = np.arange(probabilities.shape[1])
    before = (probabilities > own) | ((probabilities == own) & (numbers < true[:, None]))
    return np.stack([true, probabilities.argmax(axis=1), 1 + before.sum(axis=1)])


def top(table: ImageLabels, places: int) -> NDArray[np.float64]:
    """1 for every image whose label is among the most probable ``places``, else 0."""
    return (table.rank <= places).astype(np.float64)


class ClassCounts(NamedTuple):
    """Images of each class: its own ones, those taken for it, and those rightly so."""

    own: NDArray[np.int64]
    taken: NDArray[np.int64]
    right: NDArray[np.int64]

    @property
    def f1(self) -> NDArray[np.float64]:
        """2 right / (own + taken); not a number for a class that neither occurs nor is taken."""
        with np.errstate(invalid="ignore"):
            return 2 * self.right / (self.own + self.taken)


def count_classes(table: ImageLabels, classes: int) -> ClassCounts:
    """Counts the images of each class."""
    right = table.label[table.label == table.predicted]
    numbers = (table.label, table.predicted, right)
    return ClassCounts(*(np.bincount(labels, minlength=classes) for labels in numbers))


def macro_f1(counts: ClassCounts) -> float:
    """The mean of F1 over the classes that occur or are taken to."""
    return float(np.nanmean(counts.f1))
