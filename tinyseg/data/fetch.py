"""Public datasets, fetched from where their makers put them."""

import shutil
import sys
import tarfile
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

from tinyseg.downloads import download
from tinyseg.errors import MissingExtraError, TinysegError
from tinyseg.progress import Progress, silent
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


@dataclass(frozen=True)
class CIFARArchive:
    """An archive of CIFAR's makers.

    Attributes:
        address: where it is.
        sha256: of the archive.
        terms: what a user should have read before the data comes.
    """

    address: str
    sha256: str
    terms: str


def _cifar_terms(title: str, classes: int, megabytes: int) -> str:
    return (
        f"{title}: 60,000 pictures of 32 x 32 in {classes} classes, {megabytes} MB "
        "(www.cs.toronto.edu/~kriz/cifar.html).\n"
        "Licence: its authors state none. A. Krizhevsky, V. Nair and G. Hinton collected it from "
        "80 Million Tiny Images, which its makers have withdrawn since.\n"
        'Please cite: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", '
        "technical report, University of Toronto, 2009."
    )


#: By the name that `tinyseg data fetch` takes.
CIFAR_ARCHIVES = {
    "cifar10": CIFARArchive(
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        _cifar_terms("CIFAR-10", 10, 170),
    ),
    "cifar100": CIFARArchive(
        "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
        "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
        _cifar_terms("CIFAR-100", 100, 169),
    ),
}


def fetch_cifar(archive: CIFARArchive, out: Path, progress: Progress = silent) -> Path:
    """Downloads and unpacks an archive of CIFAR's makers.

    Args:
        archive: one of `CIFAR_ARCHIVES`.
        out: a folder, missing or empty, to hold the archive's own one.
        progress: told the megabytes that came.

    Returns:
        ``out``, which `open_dataset` opens.

    Raises:
        TinysegError: ``out`` is not empty, the download failed, or what came is not the archive.
    """
    again = "Check the network and the disk, then run the same command again."
    try:
        with whole_folder(out) as temporary:
            file = temporary / "archive"
            download(archive.address, file, archive.sha256, again, progress)
            with tarfile.open(file) as opened:
                opened.extractall(temporary, filter="data")
            file.unlink()
    except (OSError, EOFError, tarfile.TarError) as error:
        reason = shorten(str(error), 120, placeholder=" ...")
        raise TinysegError(
            f"{archive.address} could not be unpacked in {out} ({reason}).", again
        ) from error
    return out


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
