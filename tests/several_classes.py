"""Real slices of two classes: the tumour, and the rest of the head."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tinyseg.data import Sample, open_dataset
from tinyseg.data.measures import head_mask

NAMES = ("tumour", "head")
PALETTE = [0, 0, 0, 230, 159, 0, 86, 180, 233, *[level for level in range(3, 256) for _ in "RGB"]]


def heads_with_tumours(lgg: Path, number: int = 12) -> list[Sample]:
    """Slices evenly spread over the LGG set, two of three with a tumour; label 2 is the head."""
    dataset = open_dataset(str(lgg))
    with_tumour: list[Sample] = []
    without: list[Sample] = []
    step = max(1, len(dataset.keys) // (6 * number))
    for key in dataset.keys[::step]:
        sample = dataset.read(key)
        head = head_mask(sample.image)
        labels = np.where(sample.labels == 1, 1, np.where(head, 2, 0)).astype(np.uint8)
        if head.any():
            some = with_tumour if sample.labels.any() else without
            some.append(sample._replace(labels=labels))
    wanted = number - number // 3
    chosen = [*_spread(with_tumour, wanted), *_spread(without, number - wanted)]
    assert len(chosen) == number
    return chosen


def write_folder(
    folder: Path,
    samples: Iterable[Sample],
    names: Iterable[str] = NAMES,
    masks: Literal["palette", "grey"] = "palette",
) -> Path:
    """Writes ``images/``, ``masks/`` and ``classes.txt``, as the folder reader takes them."""
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    (folder / "classes.txt").write_text("\n".join(names) + "\n")
    for sample in samples:
        Image.fromarray(sample.image).save(folder / "images" / f"{sample.key}.png")
        save_mask(folder / "masks" / f"{sample.key}.png", sample.labels, masks)
    return folder


def save_mask(
    path: Path, labels: NDArray[np.uint8], form: Literal["palette", "grey"] = "palette"
) -> Path:
    """Writes labels as grey levels, or as indices of a palette in colour."""
    picture = Image.fromarray(labels)
    if form == "palette":
        picture.putpalette(PALETTE)
    picture.save(path)
    return path


def _spread(samples: list[Sample], number: int) -> list[Sample]:
    places = np.linspace(0, len(samples) - 1, number).round().astype(int)
    return [samples[place] for place in places]
