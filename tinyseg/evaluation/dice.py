"""Dice and IoU from counts of pixels; defined in ``docs/measurements.md``."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: What an image or a volume without foreground counts.
EMPTY_RULE = "1 where mask and prediction are both empty, 0 where only one is"


class ImageCounts(NamedTuple):
    """Pixels of every image, class by class.

    Attributes:
        keys: names of the images.
        groups: the group of each, such as the patient.
        tp: pixels of a class found, (classes, images).
        fp: pixels wrongly called so.
        fn: pixels missed.
    """

    keys: list[str]
    groups: list[str]
    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    fn: NDArray[np.int64]

    def of_class(self, number: int) -> "ImageCounts":
        """The counts of one class, the first foreground class being 0."""
        one = (counts[number : number + 1] for counts in self[2:])
        return ImageCounts(self.keys, self.groups, *one)


def count_pixels(
    labels: NDArray[np.uint8], masks: NDArray[np.uint8], classes: int = 1
) -> NDArray[np.int64]:
    """Compares predicted labels with masks, both (images, height, width), 0 background.

    Returns:
        (3, classes, images): pixels of each foreground class found, wrongly called so, and missed.
    """
    counts = np.empty((3, classes, len(labels)), np.int64)
    for number in range(classes):
        predicted, true = labels == number + 1, masks == number + 1
        pairs = (predicted & true, predicted & ~true, true & ~predicted)
        counts[:, number] = [pixels.sum(axis=(1, 2), dtype=np.int64) for pixels in pairs]
    return counts


def volumes(table: ImageCounts) -> ImageCounts:
    """The counts summed over the images of each group; a column a group, sorted."""
    names, columns = np.unique(np.asarray(table.groups), return_inverse=True)
    sums = (_summed(counts, columns, len(names)) for counts in (table.tp, table.fp, table.fn))
    return ImageCounts(names.tolist(), names.tolist(), *sums)


def dice(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> NDArray[np.float64]:
    """2 tp / (2 tp + fp + fn), by `EMPTY_RULE`."""
    return _ratio(2 * np.asarray(tp, np.float64), np.add(fp, fn))


def iou(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> NDArray[np.float64]:
    """The intersection over the union, tp / (tp + fp + fn), by `EMPTY_RULE`."""
    return _ratio(np.asarray(tp, np.float64), np.add(fp, fn))


def _ratio(right: NDArray[np.float64], wrong: NDArray[np.float64]) -> NDArray[np.float64]:
    whole = np.asarray(right + wrong)
    return np.divide(right, whole, out=np.ones_like(whole), where=whole > 0)


def _summed(counts: NDArray[np.int64], columns: NDArray[np.intp], size: int) -> NDArray[np.int64]:
    sums = np.zeros((size, len(counts)), np.int64)
    np.add.at(sums, columns, counts.T)
    return sums.T
