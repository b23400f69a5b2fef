"""What needs no learning: one label for everything, and a threshold on a volume's grey levels."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyseg.data.measures import head_mask
from tinyseg.data.preprocessing import resize_image, resize_mask
from tinyseg.evaluation.dice import count_pixels
from tinyseg.evaluation.recognition import rank_labels
from tinyseg.evaluation.tables import Table, make_table
from tinyseg.progress import Progress, silent

if TYPE_CHECKING:
    from tinyseg.data.cache import Pictures
    from tinyseg.data.sample import Dataset

# Lengths are pixels of a frame of 256.
_FRAME = 256
_BLUR = 2.0
_INNER = 14.0  # the head less its rim of scalp, skull and cortex
_MARGIN = 20.0  # how far inside the head a tumour is looked for


def baselines(
    dataset: "Dataset", pictures: "Pictures", progress: Progress = silent
) -> dict[str, Table]:
    """The tables of baselines on the same pictures as an evaluation.

    ``threshold`` (`threshold_volume`) looks at whole volumes at their own size, also at slices
    which are not among the pictures; its masks are then resized like the pictures' own.

    Args:
        dataset: where the pictures come from.
        pictures: what is scored.
        progress: told after every volume.

    Returns:
        By name. Of masks ``nothing``, ``everything`` (of several classes the one with most pixels,
        everywhere), and ``threshold`` where groups are volumes with one class and a channel to look
        at; of whole pictures ``most common``, the class with most of them.

    Raises:
        TinysegError: a file is missing or corrupt.
    """
    classes, levels = len(dataset.classes), np.bincount(pictures.labels.ravel(), minlength=2)
    if dataset.task == "classification":
        common = np.zeros((len(pictures), classes), np.float32)
        common[:, levels.argmax()] = 1
        return {"most common": make_table(pictures, [rank_labels(common, pictures.labels)])}
    tables = {
        "nothing": _constant(pictures, 0, classes),
        "everything": _constant(pictures, 1 + int(levels[1:].argmax()), classes),
    }
    channel = dataset.threshold_channel
    if dataset.groups_are_volumes and classes == 1 and channel is not None:
        tables["threshold"] = _threshold(dataset, pictures, channel, progress)
    return tables


def threshold_volume(
    volume: NDArray[np.uint8], channel: int, tau: float = 1.3
) -> NDArray[np.uint8]:
    """Marks the largest bright body inside a head.

    A channel, blurred (sigma 2), exceeds ``tau`` times its median over the inner head of the whole
    volume, at least 20 px inside the head; the largest connected body in three dimensions stays.
    Lengths are for frames of 256 px and scale with the frame. ``tau`` was chosen on the LGG
    patients themselves, which flatters this baseline there.

    Args:
        volume: (slices, height, width, channels), in order.
        channel: the one to look at, such as FLAIR.
        tau: how much brighter than the median.

    Returns:
        (slices, height, width) of 0 and 1.
    """
    from scipy import ndimage

    scale = volume.shape[1] / _FRAME
    depth = np.stack([_depth_in_head(picture, scale) for picture in volume])
    levels = volume[..., channel].astype(np.float32)
    inner = levels[depth > _INNER * scale]
    if not inner.size:
        return np.zeros(levels.shape, np.uint8)
    blurred = ndimage.gaussian_filter(levels, (0, _BLUR * scale, _BLUR * scale))
    bright = (blurred > tau * np.median(inner)) & (depth >= _MARGIN * scale)
    return _largest(bright).astype(np.uint8)


def _constant(pictures: "Pictures", label: int, classes: int) -> Table:
    return _table(pictures, np.full_like(pictures.labels, label), classes)


def _threshold(dataset: "Dataset", pictures: "Pictures", channel: int, progress: Progress) -> Table:
    labels = np.zeros_like(pictures.labels)
    places = {key: place for place, key in enumerate(pictures.keys)}
    groups = set(pictures.groups)
    volumes: dict[str, list[str]] = {group: [] for group in sorted(groups)}
    for key in dataset.keys:
        if dataset.group(key) in groups:
            volumes[dataset.group(key)].append(key)

    def mark(keys: Sequence[str]) -> None:
        masks = threshold_volume(_read_volume(dataset, keys), channel)
        for key, mask in zip(keys, masks, strict=True):
            if key in places:
                labels[places[key]] = resize_mask(mask, labels.shape[1:])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, _ in enumerate(pool.map(mark, volumes.values()), start=1):
            progress("Threshold baseline", done, len(volumes), "")
    return _table(pictures, labels, 1)


def _read_volume(dataset: "Dataset", keys: Sequence[str]) -> NDArray[np.uint8]:
    images = [dataset.read(key).image for key in keys]
    height, width = images[0].shape[:2]
    return np.stack([resize_image(image, (height, width)) for image in images])


def _table(pictures: "Pictures", labels: NDArray[np.uint8], classes: int) -> Table:
    return make_table(pictures, [count_pixels(labels, pictures.labels, classes)])


def _depth_in_head(picture: NDArray[np.uint8], scale: float) -> NDArray[np.float64]:
    """Distance of each pixel to the border of the head, pixels; 0 outside."""
    from scipy import ndimage

    return np.asarray(ndimage.distance_transform_edt(head_mask(picture, scale)))


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected region; nothing of an empty mask."""
    from scipy import ndimage

    if not mask.any():
        return mask
    regions = np.empty(mask.shape, np.int32)
    ndimage.label(mask, output=regions)
    return regions == 1 + np.bincount(regions.ravel())[1:].argmax()
