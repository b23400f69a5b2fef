"""``classes.txt``: which classes the masks of a folder tell apart."""

from collections import Counter
from pathlib import Path

from tinyseg.errors import TinysegError

_MOST = 255  # labels of 8 bits, less the background


def read_class_names(path: Path) -> list[str]:
    """Reads the names of the foreground classes, one a line; blank lines are ignored.

    Args:
        path: the file, in UTF-8. Its n-th name is that of the label n.

    Raises:
        TinysegError: the file cannot be read, names no class, one twice, the background, or more
            than 255.
    """
    names = [line.strip() for line in _text(path).splitlines() if line.strip()]
    if not names:
        raise TinysegError(
            f"{path} names no class.", "Write the name of a foreground class a line, or remove it."
        )
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise TinysegError(
            f"{path} names the class '{repeated[0]}' twice.", "Give every class a name of its own."
        )
    if "background" in [name.lower() for name in names]:
        raise TinysegError(
            f"{path} names the background, which is label 0 and no class of the foreground.",
            "Remove the line; the first name is that of label 1.",
        )
    if len(names) > _MOST:
        raise TinysegError(
            f"{path} names {len(names)} classes; labels of 8 bits tell at most {_MOST} apart.",
            "Join some of them.",
        )
    return names


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TinysegError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise TinysegError(f"{path} is not text in UTF-8.", "Save it as UTF-8.") from error
