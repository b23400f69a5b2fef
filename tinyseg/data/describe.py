"""What a dataset holds, and what a split makes of it."""

import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tinyseg.data.leaks import audit_leaks
from tinyseg.data.measures import contrast, head_mask, inside, noise_level
from tinyseg.data.preprocessing import resize_mask
from tinyseg.data.sample import Dataset, Sample
from tinyseg.data.splits import make_split
from tinyseg.progress import Progress, silent
from tinyseg.runs import whole_file
from tinyseg.runs.records import (
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
    """What is kept of a picture and its mask."""

    size: str
    pixels: int
    area: int
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
        return _look(dataset.read(key), dataset.threshold_channel, keep_mask=by == "image")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for key, seen in zip(dataset.keys, pool.map(look, dataset.keys), strict=True):
            looks[key] = seen
            progress("Reading pictures", len(looks), len(dataset.keys), "")
    per_group = Counter(dataset.group(key) for key in dataset.keys)
    every = list(looks.values())
    return DescribeDocument(
        data=data_used(dataset),
        sizes=dict(Counter(look.size for look in every).most_common()),
        images_per_group=_quartiles_of(list(per_group.values())),
        images_with_foreground=sum(look.area > 0 for look in every),
        foreground_share=sum(look.area for look in every) / sum(look.pixels for look in every),
        areas=_quartiles([look.area for look in every if look.area]),
        contrast=_quartiles([look.contrast for look in every if look.contrast is not None]),
        noise=_quartiles([look.noise for look in every if look.noise is not None]),
        split=_describe_split(dataset, looks, by, seed, validation_share, test_share),
    )


def _look(sample: Sample, channel: int | None, *, keep_mask: bool) -> _Look:
    height, width = sample.labels.shape
    area = int(sample.labels.sum())
    ratio = noise = None
    if channel is not None and area >= _TUMOUR:
        plane, head = sample.image[:, :, channel], head_mask(sample.image)
        ratio = contrast(plane, sample.labels, head)
        noise = noise_level(plane, inside(head, _INNER))
    mask = resize_mask(sample.labels, _AUDIT_SIZE) if keep_mask else None
    return _Look(f"{width}x{height}", height * width, area, ratio, noise, mask)


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
        {key: int(look.area > 0) for key, look in looks.items()},
        by=by,
        seed=seed,
        validation_share=validation_share,
        test_share=test_share,
    )
    parts = [
        PartDescribed(
            part=part,
            groups=len({dataset.group(key) for key in split.keys(part)}),
            images=len(split.keys(part)),
            images_with_foreground=sum(looks[key].area > 0 for key in split.keys(part)),
        )
        for part in get_args(Part)
    ]
    masks = {key: look.mask for key, look in looks.items() if look.mask is not None}
    return SplitDescribed(
        by=by,
        seed=seed,
        validation_share=validation_share,
        test_share=test_share,
        parts=parts,
        leaks=audit_leaks(dataset, split, masks) if masks else [],
    )


def _quartiles(values: Sequence[float]) -> Quartiles | None:
    return _quartiles_of(values) if values else None


def _quartiles_of(values: Sequence[float]) -> Quartiles:
    names = ("least", "lower", "median", "upper", "most")
    figures = np.percentile(values, (0, 25, 50, 75, 100)).tolist()
    return Quartiles(**dict(zip(names, figures, strict=True)))


def plot_parts(document: DescribeDocument, path: Path) -> None:
    """Draws how many pictures of each part have foreground and how many have none.

    Args:
        document: a description; one without a split shows all pictures as one part.
        path: a .png, .svg or .pdf file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    bars = _bars(document)
    figure = Figure(figsize=(6, 3.6), layout="constrained", dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    places = np.arange(len(bars))
    name = document.data.classes[0]
    for shift, kind, colour in ((-0.2, "without", "#56b4e9"), (0.2, "with", "#d55e00")):
        counts = [bar[kind] for bar in bars.values()]
        drawn = axes.bar(places + shift, counts, 0.38, color=colour, label=f"{kind} {name}")
        axes.bar_label(drawn, [f"{count:,}" for count in counts], padding=2, fontsize=8)
    axes.set_xticks(places, list(bars))
    axes.set_ylabel("images")
    axes.margins(y=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    with whole_file(path) as temporary:
        figure.savefig(temporary)


def _bars(document: DescribeDocument) -> dict[str, dict[str, int]]:
    if document.split is None:
        counts = {"all": (document.data.images, document.images_with_foreground)}
    else:
        counts = {
            part.part: (part.images, part.images_with_foreground) for part in document.split.parts
        }
    return {
        name: {"with": marked, "without": images - marked}
        for name, (images, marked) in counts.items()
    }
