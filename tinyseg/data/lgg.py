"""Brain MRI with tumour masks in the layout of Kaggle's ``mateuszbuda/lgg-mri-segmentation``."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Self

from tinyseg.data.pairs import Pair, PairedFiles
from tinyseg.data.pictures import ENDINGS
from tinyseg.runs.records import Problem

_FLAIR = 1  # channels: before contrast, FLAIR, after contrast
_NAME = re.compile(r"_(\d+)(_mask)?$")


class LGGDataset(PairedFiles):
    """A folder of patients' folders, each a volume of slices.

    A patient's folder ``NAME`` holds ``NAME_1.tif`` and ``NAME_1_mask.tif`` and so on, of any
    picture format; it lies in the folder itself or in ``kaggle_3m`` below it. Slices come in the
    order of their numbers, from the bottom of the head to its top. The pictures' channels are the
    sequences before contrast, FLAIR and after contrast, the masks mark abnormal FLAIR.
    """

    kind: ClassVar[str] = "lgg"
    layout: ClassVar[str | None] = "PATIENT/PATIENT_1.tif with PATIENT/PATIENT_1_mask.tif"
    classes: Sequence[str] = ("tumour",)
    channels = 3
    groups_are_volumes = True
    threshold_channel: int | None = _FLAIR

    @classmethod
    def recognises(cls, folder: Path) -> bool:
        """Whether a folder, or ``kaggle_3m`` below it, has a patient's folder with a mask."""
        return any(
            _number(path, patient.name) is not None and path.stem.endswith("_mask")
            for patient in _patients(folder)
            for path in patient.iterdir()
        )

    @classmethod
    def from_source(cls, source: str) -> Self:
        """Lists the files of a folder.

        Raises:
            TinysegError: there is no picture with a mask.
        """
        folder = Path(source).resolve()
        pairs: list[Pair] = []
        problems: list[Problem] = []
        for patient in _patients(folder):
            found, wrong = _list_patient(patient)
            pairs += found
            problems += wrong
        return cls(f"{cls.kind}:{folder}", pairs, problems)


def _patients(folder: Path) -> Iterator[Path]:
    """Sub-folders by name; of ``kaggle_3m`` where there is one."""
    inner = folder / "kaggle_3m"
    root = inner if inner.is_dir() else folder
    for path in sorted(root.iterdir()):
        if path.is_dir() and os.access(path, os.R_OK | os.X_OK):
            yield path


def _number(path: Path, patient: str) -> int | None:
    """The slice a file belongs to; None for a file that is no slice or mask of the patient."""
    if path.suffix.lower() not in ENDINGS or not path.stem.startswith(patient):
        return None
    match = _NAME.fullmatch(path.stem, len(patient))
    return int(match[1]) if match else None


def _list_patient(patient: Path) -> tuple[list[Pair], list[Problem]]:
    images: dict[int, Path] = {}
    masks: dict[int, Path] = {}
    problems: list[Problem] = []
    for path in sorted(patient.iterdir()):
        number = _number(path, patient.name)
        if number is None:
            continue
        other = (masks if path.stem.endswith("_mask") else images).setdefault(number, path)
        if other != path:
            problems.append(Problem.error(path, f"stands for the same slice as {other.name}"))
    problems += [
        Problem.error(path, "has no mask") for number, path in images.items() if number not in masks
    ]
    problems += [
        Problem.error(path, "is a mask without a picture")
        for number, path in masks.items()
        if number not in images
    ]
    pairs = [
        Pair(f"{patient.name}_{number}", patient.name, images[number], masks[number])
        for number in sorted(images.keys() & masks.keys())
    ]
    return pairs, problems
