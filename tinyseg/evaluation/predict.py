"""Masks for picture files, at the pictures' own size."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tinyseg.data.preprocessing import Preprocessing, resize_probabilities
from tinyseg.errors import TinysegError
from tinyseg.evaluation.decisions import Predictor, decide, probabilities
from tinyseg.evaluation.overlays import draw_overlay
from tinyseg.evaluation.picture_files import PictureFile
from tinyseg.progress import Progress, silent
from tinyseg.runs import whole_file
from tinyseg.runs.records import PredictedPicture, Problem

_CHANNELS = 3  # that every picture file is read with


class _Read(NamedTuple):
    """A picture as the network takes it, not yet normalised, and the size it had."""

    file: PictureFile
    resized: NDArray[np.uint8]
    height_width: tuple[int, int]


def predict_pictures(
    predictor: Predictor,
    files: Sequence[PictureFile],
    preprocessing: Preprocessing,
    *,
    threshold: float = 0.5,
    batch_size: int = 16,
    progress: Progress = silent,
) -> tuple[list[PredictedPicture], list[Problem]]:
    """Writes the mask of every picture, and its overlay where one is wanted.

    Probabilities are resized to the picture's own size, bilinearly, before the threshold. A picture
    that cannot be read keeps none of the others from being done.

    Args:
        predictor: gives logits of a single class for a batch.
        files: what to read and where to write.
        preprocessing: what the predictor wants done to a picture.
        threshold: from this probability on, a pixel belongs to the class.
        batch_size: pictures a call of the predictor.
        progress: told after every batch.

    Returns:
        The pictures done, and those that could not be read.

    Raises:
        TinysegError: the predictor takes other pictures than files give, or nothing can be written.
    """
    if len(preprocessing.mean) != _CHANNELS:
        raise TinysegError(
            f"The network takes pictures of {len(preprocessing.mean)} channels; files are read "
            f"with {_CHANNELS}."
        )
    done: list[PredictedPicture] = []
    problems: list[Problem] = []
    for start in range(0, len(files), batch_size):
        read = list(_read_all(files[start : start + batch_size], preprocessing, problems))
        if read:
            inputs = preprocessing.normalise(np.stack([picture.resized for picture in read]))
            likely = probabilities(predictor(inputs))[:, 0]
            done += [_write(*pair, threshold) for pair in zip(read, likely, strict=True)]
        progress("Predicting", min(start + batch_size, len(files)), len(files), "")
    return done, problems


def _read_all(
    files: Sequence[PictureFile], preprocessing: Preprocessing, problems: list[Problem]
) -> Iterator[_Read]:
    """The pictures that can be read; of the others, the problem."""
    from tinyseg.data.pictures import read_image

    def read(file: PictureFile) -> _Read | Problem:
        try:
            image = read_image(file.picture)
        except TinysegError as error:
            return Problem.error(file.picture, error.message)
        return _Read(file, preprocessing.resize(image), image.shape[:2])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(read, files):
            if isinstance(result, Problem):
                problems.append(result)
            else:
                yield result


def _write(read: _Read, likely: NDArray[np.float32], threshold: float) -> PredictedPicture:
    """Writes what belongs to one picture; ``likely`` is of the network's size."""
    file = read.file
    own = resize_probabilities(likely, read.height_width)
    mask = decide(own[None, None], threshold)[0]
    _save(file.mask, mask * np.uint8(255))
    if file.overlay:
        from tinyseg.data.pictures import read_image

        _save(file.overlay, draw_overlay(read_image(file.picture), mask))
    return PredictedPicture(
        picture=str(file.picture),
        mask=str(file.mask),
        overlay=str(file.overlay) if file.overlay else None,
        foreground=float(mask.mean()),
    )


def _save(path: Path, pixels: NDArray[np.uint8]) -> None:
    try:
        with whole_file(path) as temporary:
            Image.fromarray(pixels).save(temporary, format="PNG")
    except OSError as error:
        reason = error.strerror or error
        raise TinysegError(f"{path} cannot be written: {reason}.", "Name another --out.") from error
