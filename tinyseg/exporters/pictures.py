"""The pictures an artifact is proved on, and those that it is calibrated with."""

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyseg.exporters.subject import Subject
from tinyseg.progress import Progress
from tinyseg.runs.records import Calibration

if TYPE_CHECKING:
    from tinyseg.data.cache import Pictures
    from tinyseg.data.sample import Dataset


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

    if subject.run and subject.data:
        split = subject.run.split
        dataset = open_dataset(subject.data.source)
        keys = split.test or split.validation or split.train
    else:
        dataset = open_dataset("phantom")
        keys = list(dataset.keys)[::2]
    if most:
        keys = [keys[row] for row in evenly(len(keys), most)]
    return _read(subject, dataset, keys, progress)


def calibration_of(
    subject: Subject, count: int, progress: Progress
) -> tuple[NDArray[np.float32], Calibration]:
    """Network inputs of training pictures, drawn at random, and what they are.

    Phantom pictures of fresh and imported weights: none that parity is taken on.

    Args:
        subject: a run or a network.
        count: of pictures, all of them if there are fewer.
        progress: told while they are read.

    Raises:
        TinysegError: the run's dataset is not where it was.
    """
    from tinyseg.data import open_dataset

    if subject.run and subject.data:
        dataset, keys = open_dataset(subject.data.source), list(subject.run.split.train)
    else:
        dataset = open_dataset("phantom")
        keys = list(dataset.keys)[1::2]
    drawn = np.random.default_rng(subject.seed).permutation(len(keys))[:count]
    pictures = _read(subject, dataset, [keys[row] for row in sorted(drawn)], progress)
    inputs = inputs_of(subject, pictures.images)
    return inputs, Calibration(
        source=f"{dataset.source}, {'train' if subject.data else 'every other picture'}",
        images=len(inputs),
        seed=subject.seed,
        sha256=hashlib.sha256(inputs.tobytes()).hexdigest(),
    )


def _read(subject: Subject, dataset: "Dataset", keys: list[str], progress: Progress) -> "Pictures":
    from tinyseg.data.cache import load_pictures

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
