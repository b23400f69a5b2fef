"""Masks for picture files, at the pictures' own size."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tinyseg.data.preprocessing import Preprocessing, resize_probabilities
from tinyseg.errors import TinysegError
from tinyseg.evaluation.colours import class_colours
from tinyseg.evaluation.decisions import Predictor, decide, probabilities
from tinyseg.evaluation.overlays import draw_overlay
from tinyseg.evaluation.picture_batches import read_batches
from tinyseg.evaluation.picture_files import PictureFile
from tinyseg.progress import Progress, silent
from tinyseg.runs import whole_file
from tinyseg.runs.records import PredictedPicture, Problem


def predict_pictures(
    predictor: Predictor,
    files: Sequence[PictureFile],
    preprocessing: Preprocessing,
    *,
    classes: Sequence[str] = ("foreground",),
    threshold: float = 0.5,
    batch_size: int = 16,
    progress: Progress = silent,
) -> tuple[list[PredictedPicture], list[Problem]]:
    """Writes the mask of every picture, and its overlay where one is wanted.

    Probabilities are resized to the picture's own size, bilinearly, before the decision. The mask
    of a single class in the foreground holds 0 and 255. That of several holds labels, as indices of
    a palette, so that it shows in any viewer and is read as labels again. A picture that cannot be
    read keeps none of the others from being done.

    Args:
        predictor: gives logits (batch, classes, height, width) for a batch.
        files: what to read and where to write.
        preprocessing: what the predictor wants done to a picture.
        classes: names, one a channel of the logits; of several, the first is the background.
        threshold: from this probability on, a pixel belongs to a single class.
        batch_size: pictures a call of the predictor.
        progress: told after every batch.

    Returns:
        The pictures done, and those that could not be read.

    Raises:
        TinysegError: the predictor takes other pictures than files give, or nothing can be written.
    """
    done: list[PredictedPicture] = []
    problems: list[Problem] = []
    paths = [file.picture for file in files]
    for batch in read_batches(paths, preprocessing, batch_size, problems, progress):
        likely = probabilities(predictor(batch.inputs))
        for place, size, planes in zip(batch.places, batch.sizes, likely, strict=True):
            own = np.stack([resize_probabilities(plane, size) for plane in planes])
            labels = decide(own[None], threshold)[0]
            done.append(_write(files[place], labels, classes))
    return done, problems


def _write(
    file: PictureFile, labels: NDArray[np.uint8], classes: Sequence[str]
) -> PredictedPicture:
    """Writes what belongs to one picture."""
    from tinyseg.data.pictures import read_image

    several = classes[1:] if len(classes) > 2 else []
    colours = class_colours(len(several))
    if several:
        _save(file.mask, _in_colours(labels))
    else:
        _save(file.mask, Image.fromarray(labels * np.uint8(255)))
    if file.overlay:
        image = read_image(file.picture)
        drawn = draw_overlay(image, labels, colours) if several else draw_overlay(image, labels)
        _save(file.overlay, Image.fromarray(drawn))
    counts = np.bincount(labels.ravel(), minlength=len(classes))
    return PredictedPicture(
        picture=str(file.picture),
        mask=str(file.mask),
        overlay=str(file.overlay) if file.overlay else None,
        foreground=float(np.mean(labels > 0)),
        shares={
            name: float(counts[label] / labels.size) for label, name in enumerate(several, start=1)
        }
        or None,
    )


def _in_colours(labels: NDArray[np.uint8]) -> Image.Image:
    picture = Image.fromarray(labels)
    # A whole palette keeps the indices at 8 bits; some readers know no others.
    picture.putpalette([0, 0, 0, *class_colours(255).ravel().tolist()])
    return picture


def _save(path: Path, picture: Image.Image) -> None:
    try:
        with whole_file(path) as temporary:
            picture.save(temporary, format="PNG")
    except OSError as error:
        reason = error.strerror or error
        raise TinysegError(f"{path} cannot be written: {reason}.", "Name another --out.") from error
