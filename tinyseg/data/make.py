"""The phantom as files, in the layout of the LGG MRI segmentation set."""

from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from tinyseg.data.phantom import PhantomDataset
from tinyseg.progress import Progress, silent
from tinyseg.runs.files import whole_folder


def make_phantom(
    folder: Path, *, patients: int = 40, seed: int = 0, progress: Progress = silent
) -> PhantomDataset:
    """Writes a phantom as ``PATIENT/PATIENT_1.tif`` with ``PATIENT/PATIENT_1_mask.tif``.

    The files are compressed without loss; masks hold 0 and 255. The folder appears once everything
    is in it.

    Args:
        folder: where to; missing or empty.
        patients: their number.
        seed: of everything random.
        progress: told after every slice.

    Returns:
        The phantom in memory, with the same keys and pixels.

    Raises:
        TinysegError: the folder is not empty.
    """
    dataset = PhantomDataset(patients=patients, seed=seed)
    with whole_folder(folder) as temporary:
        for done, key in enumerate(dataset.keys, start=1):
            sample = dataset.read(key)
            patient = temporary / sample.group
            patient.mkdir(exist_ok=True)
            _write(patient / f"{key}.tif", sample.image)
            _write(patient / f"{key}_mask.tif", sample.labels * np.uint8(255))
            progress("Writing slices", done, len(dataset.keys), "")
    return dataset


def _write(path: Path, array: NDArray[np.uint8]) -> None:
    colours = "rgb" if array.ndim == 3 else "minisblack"
    tifffile.imwrite(path, array, photometric=colours, compression="adobe_deflate")
