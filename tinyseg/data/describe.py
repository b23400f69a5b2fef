"""What a dataset holds, and what a split makes of it."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tinyseg.data.leaks import audit_leaks
from tinyseg.data.measures import contrast, head_mask, inside, noise_level
from tinyseg.data.preprocessing import resize_mask
from tinyseg.data.sample import Dataset, Sample
from tinyseg.data.splits import make_split
from tinyseg.progress import Progress, silent
from tinyseg.runs.records import (
    ClassDescribed,
    DataUsed,
    DescribeDocument,
    Part,
    PartDescribed,
    Quartiles,
    SplitDescribed,
)

_AUDIT_SIZE = (256, 256)  # masks are compared at one size
_FEWEST = 3  # groups or pictures that can be split
_INNER = 14.0  # px: what is deeper in the head is brain
_TUMOUR = 50  # px: contrast of less says little


@dataclass(frozen=True)
class _Look:
    """What is kept of a picture and its labels.

    Attributes:
        labels: pixels of each class, the background apart; of a whole picture 1 of its class.
        area: pixels of the foreground.
        stratum: what `make_split` wants to know of it.
    """

    size: str
    pixels: int
    labels: NDArray[np.int64]
    area: int
    stratum: int
    contrast: float | None
    noise: float | None
    mask: NDArray[np.uint8] | None


def describe_data(
    dataset: Dataset,
    *,
    by: Literal["patient", "image"] = "patient",
    seed: int = 0,
    validation_share: float = 0.15,
    test_share: float = 0.15,
    progress: Progress = silent,
) -> DescribeDocument:
    """Reads a whole dataset and describes it; the arguments of the split are `make_split`'s.

    Raises:
        TinysegError: a file is missing or corrupt.
        UsageError: shares that leave nothing to a part.
    """
    looks: dict[str, _Look] = {}

    def look(key: str) -> _Look:
        return _look(dataset.read(key), dataset, keep_mask=by == "image")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for key, seen in zip(dataset.keys, pool.map(look, dataset.keys), strict=True):
            looks[key] = seen
            progress("Reading pictures", len(looks), len(dataset.keys), "")
    per_group = Counter(dataset.group(key) for key in dataset.keys)
    every = list(looks.values())
    of_pixels = dataset.task == "segmentation"
    return DescribeDocument(
        data=data_used(dataset),
        sizes=dict(Counter(look.size for look in every).most_common()),
        images_per_group=_quartiles_of(list(per_group.values())),
        classes=_classes(dataset, every),
        images_with_foreground=sum(look.area > 0 for look in every) if of_pixels else None,
        foreground_share=_share(sum(look.area for look in every), every) if of_pixels else None,
        areas=_quartiles([look.area for look in every if look.area]),
        contrast=_quartiles([look.contrast for look in every if look.contrast is not None]),
        noise=_quartiles([look.noise for look in every if look.noise is not None]),
        split=_describe_split(dataset, looks, by, seed, validation_share, test_share),
    )


def _look(sample: Sample, dataset: Dataset, *, keep_mask: bool) -> _Look:
    height, width = sample.image.shape[:2]
    size = f"{width}x{height}"
    if dataset.task == "classification":
        one = np.bincount([sample.labels], minlength=len(dataset.classes))
        return _Look(size, height * width, one, 0, int(sample.labels), None, None, None)
    counts = np.bincount(sample.labels.ravel(), minlength=1 + len(dataset.classes))
    area = int(counts[1:].sum())
    ratio = noise = None
    if dataset.threshold_channel is not None and area >= _TUMOUR:
        plane, head = sample.image[:, :, dataset.threshold_channel], head_mask(sample.image)
        ratio = contrast(plane, sample.labels, head)
        noise = noise_level(plane, inside(head, _INNER))
    mask = resize_mask(sample.labels, _AUDIT_SIZE) if keep_mask else None
    return _Look(size, height * width, counts[1:], area, int(area > 0), ratio, noise, mask)


def _classes(dataset: Dataset, looks: Sequence[_Look]) -> list[ClassDescribed]:
    of_pixels = dataset.task == "segmentation"
    labels = np.stack([look.labels for look in looks])
    return [
        ClassDescribed(
            name=name,
            images=int((found > 0).sum()),
            share=_share(int(found.sum()), looks) if of_pixels else None,
        )
        for name, found in zip(dataset.classes, labels.T, strict=True)
    ]


def _share(pixels: int, looks: Sequence[_Look]) -> float:
    return pixels / sum(look.pixels for look in looks)


def data_used(dataset: Dataset) -> DataUsed:
    """A dataset in few words, as a run's record holds it."""
    return DataUsed(
        kind=dataset.kind,
        task=dataset.task,
        source=dataset.source,
        images=len(dataset.keys),
        groups=len({dataset.group(key) for key in dataset.keys}),
        groups_are_volumes=dataset.groups_are_volumes,
        classes=list(dataset.classes),
        channels=dataset.channels,
    )


def _describe_split(
    dataset: Dataset,
    looks: dict[str, _Look],
    by: Literal["patient", "image"],
    seed: int,
    validation_share: float,
    test_share: float,
) -> SplitDescribed | None:
    units = {dataset.group(key) for key in dataset.keys} if by == "patient" else looks
    if len(units) < _FEWEST:
        return None
    split = make_split(
        dataset,
        {key: look.stratum for key, look in looks.items()},
        by=by,
        seed=seed,
        validation_share=validation_share,
        test_share=test_share,
    )
    parts = [_describe_part(dataset, part, split.keys(part), looks) for part in get_args(Part)]
    masks = {key: look.mask for key, look in looks.items() if look.mask is not None}
    return SplitDescribed(
        by=by,
        seed=seed,
        validation_share=validation_share,
        test_share=split.test_share,
        own_test=bool(dataset.test_keys),
        parts=parts,
        leaks=audit_leaks(dataset, split, masks) if masks else [],
    )


def _describe_part(
    dataset: Dataset, part: Part, keys: Sequence[str], looks: Mapping[str, _Look]
) -> PartDescribed:
    every = [looks[key] for key in keys]
    marked = sum(look.area > 0 for look in every) if dataset.task == "segmentation" else None
    return PartDescribed(
        part=part,
        groups=len({dataset.group(key) for key in keys}),
        images=len(keys),
        images_with_foreground=marked,
        images_by_class=[described.images for described in _classes(dataset, every)],
    )


def _quartiles(values: Sequence[float]) -> Quartiles | None:
    return _quartiles_of(values) if values else None


def _quartiles_of(values: Sequence[float]) -> Quartiles:
    names = ("least", "lower", "median", "upper", "most")
    figures = np.percentile(values, (0, 25, 50, 75, 100)).tolist()
    return Quartiles(**dict(zip(names, figures, strict=True)))
