"""Brain MRI with tumour masks in the layout of Kaggle's ``mateuszbuda/lgg-mri-segmentation``."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

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
            for patient in _root(folder).iterdir()
            if _is_readable_folder(patient)
            for path in patient.iterdir()
        )

    @classmethod
    def list_files(cls, folder: Path) -> tuple[list[Pair], list[Problem]]:
        """Pairs slices and masks by patient and number."""
        pairs: list[Pair] = []
        problems: list[Problem] = []
        root = _root(folder)
        for path in sorted(root.iterdir()):
            if _is_readable_folder(path):
                found, wrong = _list_patient(path)
                pairs += found
                problems += wrong
            elif path.is_dir():
                problems.append(Problem.error(path, "may not be read (permissions)"))
            elif path.suffix.lower() in ENDINGS:
                problems.append(Problem.ignored(path))
        return pairs, problems


def _root(folder: Path) -> Path:
    """``kaggle_3m`` where there is one, as in Kaggle's archive, else the folder itself."""
    inner = folder / "kaggle_3m"
    return inner if inner.is_dir() else folder


def _is_readable_folder(path: Path) -> bool:
    return path.is_dir() and os.access(path, os.R_OK | os.X_OK)


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
            problems.append(Problem.ignored(path))
            continue
        other = (masks if path.stem.endswith("_mask") else images).setdefault(number, path)
        if other != path:
            problems.append(Problem.error(path, f"stands for the same slice as {other.name}"))
    problems += _unpaired(images, masks)
    problems += _gaps(patient, images)
    pairs = [
        Pair(f"{patient.name}_{number}", patient.name, images[number], masks[number])
        for number in sorted(images.keys() & masks.keys())
    ]
    return pairs, problems


def _unpaired(images: Mapping[int, Path], masks: Mapping[int, Path]) -> list[Problem]:
    return [
        *(Problem.error(images[n], "has no mask") for n in sorted(images.keys() - masks.keys())),
        *(
            Problem.error(masks[n], "is a mask without a picture")
            for n in sorted(masks.keys() - images.keys())
        ),
    ]


def _gaps(patient: Path, images: Mapping[int, Path]) -> list[Problem]:
    if not images:
        return [Problem.warning(patient, "holds no slice")]
    missing = sorted(set(range(min(images), max(images))) - images.keys())
    if not missing:
        return []
    numbers = ", ".join(map(str, missing[:8])) + (", ..." if len(missing) > 8 else "")
    return [Problem.warning(patient, f"lacks the slices {numbers}: neighbours are not neighbours")]
