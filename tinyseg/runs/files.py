"""Files that are whole or absent."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tinyseg.errors import TinysegError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its name once the block ends well.

    The block may write to it in any way; it is flushed to the disk, then renamed. When the block
    raises, the temporary file goes and ``path`` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a text file, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside ``path`` that takes its place once the block ends well.

    When the block raises, or is interrupted, the temporary folder goes and ``path`` stays as it
    was.

    Raises:
        TinysegError: ``path`` is a file, or a folder that is not empty.
    """
    path = path.resolve()
    if path.exists() and not path.is_dir():
        raise TinysegError(f"{path} is a file; it should be a folder, missing or empty.")
    if path.exists() and any(path.iterdir()):
        raise TinysegError(
            f"The folder {path} is not empty.", "Name another, or remove what is there."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        temporary.replace(path)  # over an empty folder too
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
