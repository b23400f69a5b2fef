"""Conversion in a child process: converters print, leak and sometimes abort."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tinyseg.children import ChildOutputError, run_child
from tinyseg.errors import ChildError
from tinyseg.exporters.base import Conversion, Details, Exporter
from tinyseg.exporters.places import Place
from tinyseg.exporters.subject import Subject

_LONGEST_S = 1800


class ConversionError(ChildError):
    """A converter did not take a network.

    Args:
        what: which conversion.
        place: where in the network it stopped, as far as is known.
        reason: what it said.
    """

    def __init__(self, what: str, place: Place, reason: str) -> None:
        super().__init__(" ".join(filter(None, (what, "failed", str(place)))) + f": {reason}")
        self.place = place


def convert(subject: Subject, exporter: Exporter, conversion: Conversion, path: Path) -> Details:
    """Writes a subject's network as an artifact.

    Raises:
        ConversionError: the converter refused the network, or would write a loop out.
        ChildError: it crashed or took too long.
    """
    what = f"The conversion of {subject.name} to {exporter.name}"
    with request(subject, exporter, conversion) as asked:
        answer = run_child(
            what,
            "tinyseg.exporters.converting",
            {**asked, "path": str(path.resolve())},
            timeout_s=_LONGEST_S,
        )
    if failed := answer.get("failed"):
        error = ConversionError(what, Place(*failed["place"]), failed["reason"])
        raise error from ChildOutputError(failed["trace"])
    return Details(**answer)


@contextmanager
def request(
    subject: Subject, exporter: Exporter, conversion: Conversion
) -> Iterator[dict[str, Any]]:
    """What a child is asked for that works on a subject's network; its files go afterwards."""
    with tempfile.TemporaryDirectory(prefix="tinyseg-") as folder:
        weights = Path(folder, "weights.safetensors")
        subject.save_weights(weights)
        calibration = None
        if conversion.calibration is not None:
            calibration = Path(folder, "calibration.npy")
            np.save(calibration, conversion.calibration)
        yield {
            "format": exporter.name,
            "contents": conversion.contents.model_dump(mode="json"),
            "options": conversion.options.model_dump(mode="json"),
            "calibration": calibration and str(calibration),
            "shared": conversion.shared and str(conversion.shared),
            "weights": str(weights),
            "seed": subject.seed,
        }
