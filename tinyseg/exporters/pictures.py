"""The pictures an artifact is proved on."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyseg.exporters.subject import Subject
from tinyseg.progress import Progress

if TYPE_CHECKING:
    from tinyseg.data.cache import Pictures


def pictures_of(subject: Subject, progress: Progress, most: int | None = None) -> "Pictures":
    """Test pictures of a run, with their masks; phantom ones of fresh and imported weights.

    Args:
        subject: a run or a network.
        progress: told while they are read.
        most: take this many at most, evenly chosen.

    Raises:
        TinysegError: the run's dataset is not where it was.
    """
    from tinyseg.data import open_dataset
    from tinyseg.data.cache import load_pictures

    if subject.run and subject.data:
        split = subject.run.split
        dataset = open_dataset(subject.data.source)
        keys = split.test or split.validation or split.train
    else:
        dataset = open_dataset("phantom")
        keys = list(dataset.keys)
    if most:
        keys = [keys[row] for row in evenly(len(keys), most)]
    return load_pictures(dataset, keys, subject.preprocessing.size, progress)


def inputs_of(subject: Subject, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pictures (pictures, size, size, channels) as a subject's network takes them.

    Such a network may want another number of channels than the phantom has; they repeat.
    """
    channels = np.arange(subject.in_channels) % images.shape[3]
    return subject.preprocessing.normalise(images[..., channels])


def evenly(count: int, most: int) -> list[int]:
    """At most ``most`` of ``count`` rows, evenly spread, the first and the last among them."""
    return np.linspace(0, count - 1, min(most, count)).round().astype(int).tolist()
