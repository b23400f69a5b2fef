"""Synthetic volumes that look like brain MRI with tumours: no download, no licence, no disk."""

import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from tinyseg.data.phantom_patient import draw_patient
from tinyseg.data.phantom_volume import Volume
from tinyseg.data.sample import Sample
from tinyseg.errors import UsageError
from tinyseg.runs.records import Task

_FLAIR = 1
_DEFAULTS = {"patients": 40, "seed": 0}
_MEND = "Such as phantom:patients=80,seed=3"
_rendering = threading.Lock()


class PhantomDataset:
    """Procedural volumes after the figures of the LGG MRI segmentation set.

    Slices of 256 x 256 with the channels before contrast, FLAIR and after contrast, rendered when
    they are read; the same patients and seed give the same pictures. A threshold finds about as
    much of its tumours as of real ones. It says whether a pipeline works and which network learns
    faster, never how well a network would do on patients.

    Args:
        patients: their number.
        seed: of everything random.
    """

    kind: ClassVar[str] = "phantom"
    task: ClassVar[Task] = "segmentation"
    layout: ClassVar[str | None] = None
    test_keys: Sequence[str] = ()
    classes: Sequence[str] = ("tumour",)
    channels = 3
    groups_are_volumes = True
    threshold_channel: int | None = _FLAIR

    def __init__(
        self, patients: int = _DEFAULTS["patients"], seed: int = _DEFAULTS["seed"]
    ) -> None:
        self.source = _source(patients, seed)
        self._seed = seed
        self._places = {
            f"phantom_{number:03d}_{place + 1}": (number, place)
            for number in range(1, patients + 1)
            for place in range(draw_patient(np.random.default_rng((seed, number))).slices)
        }
        self.keys: Sequence[str] = list(self._places)

    @classmethod
    def recognises(cls, folder: Path) -> bool:
        """Whether a folder is a phantom: never, it lives in memory."""
        return False

    @classmethod
    def from_source(cls, source: str) -> Self:
        """Opens it from ``patients=80,seed=3``; what is left out has its default.

        Raises:
            UsageError: another setting, or a value that cannot be meant.
        """
        return cls(**_parse(source))

    def group(self, key: str) -> str:
        """The patient a key belongs to."""
        return key.rpartition("_")[0]

    def read(self, key: str) -> Sample:
        """Renders one slice with its mask."""
        number, place = self._places[key]
        with _rendering:  # one thread draws a patient, the others wait for it
            volume = _volume(self._seed, number)
        image, mask = volume.render(place)
        return Sample(image, mask, key, self.group(key))


@lru_cache(maxsize=8)
def _volume(seed: int, number: int) -> Volume:
    return Volume(seed, number)


def _source(patients: int, seed: int) -> str:
    settings = {"patients": patients, "seed": seed}
    words = [f"{name}={value}" for name, value in settings.items() if value != _DEFAULTS[name]]
    return f"phantom:{','.join(words)}" if words else "phantom"


def _parse(text: str) -> dict[str, int]:
    settings = dict(_DEFAULTS)
    for word in filter(None, text.split(",")):
        name, _, value = (part.strip() for part in word.partition("="))
        if name not in settings:
            raise UsageError(
                f"The phantom has no setting '{name}'; it has {' and '.join(_DEFAULTS)}.", _MEND
            )
        if not value.isdecimal() or (name == "patients" and not 1 <= int(value) <= 999):
            span = "1 to 999" if name == "patients" else "a whole number, 0 or more"
            raise UsageError(f"The phantom's {name} should be {span}, not '{value}'.", _MEND)
        settings[name] = int(value)
    return settings
