"""Picture files as batches that a network takes."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinyseg.data.preprocessing import Preprocessing
from tinyseg.errors import TinysegError
from tinyseg.progress import Progress, silent
from tinyseg.runs.records import Problem

_CHANNELS = 3  # that every picture file is read with


class Batch(NamedTuple):
    """Some pictures as a network takes them.

    Attributes:
        places: where each was in the list of files.
        sizes: height and width each had.
        inputs: (batch, channels, size, size), normalised.
    """

    places: list[int]
    sizes: list[tuple[int, int]]
    inputs: NDArray[np.float32]


def read_batches(
    paths: Sequence[Path],
    preprocessing: Preprocessing,
    batch_size: int,
    problems: list[Problem],
    progress: Progress = silent,
) -> Iterator[Batch]:
    """Reads pictures batch by batch; one that cannot be read keeps none of the others away.

    Args:
        paths: the files.
        preprocessing: what the network wants done to a picture.
        batch_size: files a batch.
        problems: gets those that cannot be read.
        progress: told once the next batch is asked for.

    Raises:
        TinysegError: the network takes other pictures than files give.
    """
    if len(preprocessing.mean) != _CHANNELS:
        raise TinysegError(
            f"The network takes pictures of {len(preprocessing.mean)} channels; files are read "
            f"with {_CHANNELS}."
        )
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), batch_size):
            some = paths[start : start + batch_size]
            read = list(pool.map(lambda path: _read(path, preprocessing), some))
            problems += [found for found in read if isinstance(found, Problem)]
            good = [(n, found) for n, found in enumerate(read) if not isinstance(found, Problem)]
            if good:
                yield Batch(
                    places=[start + n for n, _ in good],
                    sizes=[size for _, (_, size) in good],
                    inputs=preprocessing.normalise(np.stack([image for _, (image, _) in good])),
                )
            progress("Predicting", start + len(some), len(paths), "")


def _read(
    path: Path, preprocessing: Preprocessing
) -> tuple[NDArray[np.uint8], tuple[int, int]] | Problem:
    """The picture resized, and the height and width it had; or why it cannot be read."""
    from tinyseg.data.pictures import read_image

    try:
        image = read_image(path)
    except TinysegError as error:
        return Problem.error(path, error.message)
    return preprocessing.resize(image), image.shape[:2]
