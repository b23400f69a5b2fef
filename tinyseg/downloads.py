"""Files from the internet, which are what they should be or do not come."""

from collections.abc import Callable
from hashlib import file_digest
from http.client import HTTPException
from pathlib import Path
from textwrap import shorten
from urllib.request import urlretrieve

from tinyseg.errors import TinysegError
from tinyseg.progress import Progress, silent

_MEGABYTE = 10**6


def download(address: str, file: Path, sha256: str, mend: str, progress: Progress = silent) -> None:
    """Downloads a file.

    Args:
        address: of http, https, ftp or file.
        file: where to; when this raises, part of it may be there.
        sha256: of the file, or its first digits.
        mend: what else helps where the download fails.
        progress: told the megabytes that came.

    Raises:
        TinysegError: the network failed, or what came is not the file that was meant.
    """
    try:
        urlretrieve(address, file, _teller(address.rpartition("/")[2], progress))
        with file.open("rb") as opened:
            digest = file_digest(opened, "sha256").hexdigest()
    except (OSError, HTTPException, ValueError) as error:  # of the network, the answer, the disk
        raise _failed(address, str(error) or type(error).__name__, mend) from error
    if not digest.startswith(sha256):
        raise _failed(address, f"the SHA-256 hash of what came is {digest}, not {sha256}", mend)


def _teller(name: str, progress: Progress) -> Callable[[int, int, int], None]:
    """What is to be called after every block: it tells whole megabytes, each once."""
    told: set[int] = set()

    def tell(blocks: int, block: int, total: int) -> None:
        came = blocks * block
        whole = -(-total // _MEGABYTE) if total > 0 else None  # None: nobody knows
        done = min(came, total) * whole // total if whole else came // _MEGABYTE
        if done not in told:
            told.add(done)
            progress("Downloading, MB", done, whole, name)

    return tell


def _failed(address: str, reason: str, mend: str) -> TinysegError:
    reason = shorten(reason, 200, placeholder=" ...")
    return TinysegError(f"{address} could not be downloaded ({reason}).", mend)
