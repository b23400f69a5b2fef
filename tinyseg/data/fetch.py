"""Public datasets, fetched from where their makers put them."""

import shutil
import sys
from contextlib import redirect_stdout
from pathlib import Path
from textwrap import shorten

from tinyseg.errors import MissingExtraError, TinysegError
from tinyseg.runs.files import whole_folder

#: What a user should have read before the data comes.
LGG_TERMS = (
    "LGG MRI segmentation: 110 patients, 3,929 slices, about 1 GB "
    "(Kaggle mateuszbuda/lgg-mri-segmentation).\n"
    "Licence: CC BY-NC-SA 4.0 as mirrors relay it, so no commercial use; the set's own readme "
    "states none. The images come from TCGA-LGG, The Cancer Imaging Archive, under that archive's "
    "data usage policy.\n"
    'Please cite: M. Buda, A. Saha, M. A. Mazurowski, "Association of genomic subtypes of '
    "lower-grade gliomas with shape features automatically extracted by a deep learning "
    'algorithm", Computers in Biology and Medicine 109, 2019, arXiv:1906.03720.'
)
_LGG = "mateuszbuda/lgg-mri-segmentation"


def fetch_lgg(out: Path | None = None) -> Path:
    """Downloads the LGG MRI segmentation set through kagglehub, which keeps a copy of its own.

    Args:
        out: a folder to copy the patients to, missing or empty; None leaves them where kagglehub
            keeps them.

    Returns:
        The folder that `open_dataset` opens.

    Raises:
        MissingExtraError: kagglehub is not installed.
        TinysegError: the download failed, brought something else, or ``out`` is not empty.
    """
    if out is None:
        return _download()
    with whole_folder(out) as temporary:
        shutil.copytree(_download() / "kaggle_3m", temporary / "kaggle_3m")
    return out


def _download() -> Path:
    try:
        import kagglehub
    except ImportError:
        raise MissingExtraError("Fetching from Kaggle", "kagglehub", "kaggle") from None
    try:
        with redirect_stdout(sys.stderr):  # it tells its progress there
            folder = Path(kagglehub.dataset_download(_LGG))
    except Exception as error:  # of the network, of Kaggle's answers, of the disk
        reason = shorten(str(error) or type(error).__name__, 120, placeholder=" ...")
        raise TinysegError(
            f"Kaggle's {_LGG} could not be downloaded ({reason}).",
            "Check the network and the disk, then run the same command again.",
        ) from error
    if not (folder / "kaggle_3m").is_dir():
        raise TinysegError(
            f"What Kaggle sent to {folder} has no folder kaggle_3m.",
            "Remove that folder and run the same command again.",
        )
    return folder
