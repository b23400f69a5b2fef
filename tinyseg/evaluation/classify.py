"""What picture files show, by networks that classify."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyseg.data.preprocessing import Preprocessing
from tinyseg.errors import TinysegError
from tinyseg.evaluation.decisions import Predictor, probabilities
from tinyseg.evaluation.picture_batches import read_batches
from tinyseg.progress import Progress, silent
from tinyseg.runs import write_text
from tinyseg.runs.records import ClassifiedPicture, ClassProbability, Problem

_TOP = 5


def classify_pictures(
    predictor: Predictor,
    paths: Sequence[Path],
    preprocessing: Preprocessing,
    *,
    classes: Sequence[str],
    batch_size: int = 16,
    progress: Progress = silent,
) -> tuple[list[ClassifiedPicture], list[Problem]]:
    """The most probable classes of every picture.

    A picture that cannot be read keeps none of the others from being done.

    Args:
        predictor: gives logits (batch, classes) for a batch.
        paths: the pictures.
        preprocessing: what the predictor wants done to a picture.
        classes: names, one a channel of the logits.
        batch_size: pictures a call of the predictor.
        progress: told after every batch.

    Returns:
        The pictures done, and those that could not be read.

    Raises:
        TinysegError: the predictor takes other pictures than files give.
    """
    done: list[ClassifiedPicture] = []
    problems: list[Problem] = []
    for batch in read_batches(paths, preprocessing, batch_size, problems, progress):
        likely = probabilities(predictor(batch.inputs))
        done += [
            _named(paths[place], row, classes)
            for place, row in zip(batch.places, likely, strict=True)
        ]
    return done, problems


def write_classified(path: Path, pictures: Sequence[ClassifiedPicture]) -> None:
    """Writes a CSV, a row a picture: its class with the probability, then the next classes.

    Args:
        path: the file, which is whole or absent.
        pictures: at least one; all have as many classes named.

    Raises:
        TinysegError: it cannot be written.
    """
    header = ["picture", "label", "probability"]
    for place in range(2, len(pictures[0].top) + 1):
        header += [f"label_{place}", f"probability_{place}"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for picture in pictures:
        pairs = ([found.label, f"{found.probability:.6f}"] for found in picture.top)
        writer.writerow([picture.picture, *(cell for pair in pairs for cell in pair)])
    try:
        write_text(path, text.getvalue())
    except OSError as error:
        reason = error.strerror or error
        raise TinysegError(f"{path} cannot be written: {reason}.", "Name another --out.") from error


def _named(path: Path, likely: NDArray[np.float32], classes: Sequence[str]) -> ClassifiedPicture:
    """The best classes of a picture; equal ones in the order of the classes."""
    best = np.argsort(-likely, kind="stable")[:_TOP]
    top = [ClassProbability(label=classes[int(n)], probability=float(likely[n])) for n in best]
    return ClassifiedPicture(
        picture=str(path), label=top[0].label, probability=top[0].probability, top=top
    )
