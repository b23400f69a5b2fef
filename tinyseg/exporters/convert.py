"""Conversion in a child process: converters print, leak and sometimes abort."""

import tempfile
from pathlib import Path

import numpy as np

from tinyseg.children import run_child
from tinyseg.exporters.base import Conversion, Details, Exporter
from tinyseg.exporters.subject import Subject

_LONGEST_S = 1800


def convert(subject: Subject, exporter: Exporter, conversion: Conversion, path: Path) -> Details:
    """Writes a subject's network as an artifact.

    Raises:
        ChildError: the converter refused the network, crashed or took too long.
    """
    with tempfile.TemporaryDirectory(prefix="tinyseg-") as folder:
        weights = Path(folder, "weights.safetensors")
        subject.save_weights(weights)
        calibration = None
        if conversion.calibration is not None:
            calibration = Path(folder, "calibration.npy")
            np.save(calibration, conversion.calibration)
        answer = run_child(
            f"The conversion of {subject.name} to {exporter.name}",
            "tinyseg.exporters.converting",
            {
                "format": exporter.name,
                "contents": conversion.contents.model_dump(mode="json"),
                "options": conversion.options.model_dump(mode="json"),
                "calibration": calibration and str(calibration),
                "weights": str(weights),
                "seed": subject.seed,
                "path": str(path.resolve()),
            },
            timeout_s=_LONGEST_S,
        )
    return Details(**answer)
