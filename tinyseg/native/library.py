"""Finds and opens the library of compiled kernels; knows no torch.

The library is plain C, called through ctypes: it is bound to no version of Python or torch. Its
wrappers beside this file declare the functions they call.
"""

import ctypes
import platform
from functools import cache
from pathlib import Path

#: The version of the functions that Python expects; its other half is in abi.c.
ABI = 1

_FOLDER = Path(__file__).parent
_ENDINGS = (".so", ".dylib", ".pyd")
_BASE = {"x86_64": "SSE2", "amd64": "SSE2", "aarch64": "NEON", "arm64": "NEON"}


def library() -> ctypes.CDLL | None:
    """The library, or None where `unavailable` says why."""
    return _opened()[0]


def unavailable() -> str | None:
    """Why there are no native kernels, and the mend; None where there are."""
    return _opened()[1]


def vector_width() -> str | None:
    """The vector instructions in use and how many floats they hold; None without a library."""
    if (kernels := library()) is None:
        return None
    base = _BASE.get(platform.machine().lower(), "plain C")
    return (f"{base}, 4 floats", "AVX2, 8 floats", "AVX-512, 16 floats")[kernels.tinyseg_level()]


@cache
def _opened() -> tuple[ctypes.CDLL | None, str | None]:
    found = [path for path in _FOLDER.glob("_kernels*") if path.suffix in _ENDINGS]
    newest_first = sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
    problem = (
        "tinyseg was installed without a C compiler, so there are no native kernels. Install one "
        f"(on Debian: apt install gcc; on macOS: xcode-select --install), then: {_reinstall()}"
    )
    for path in newest_first:  # one for each Python that built here, and all much the same
        opened = _open(path)
        if isinstance(opened, ctypes.CDLL):
            return opened, None
        problem = f"{opened} Build it anew: {_reinstall()}"
    return None, problem


def _open(path: Path) -> ctypes.CDLL | str:
    try:
        opened = ctypes.CDLL(str(path))
        version = opened.tinyseg_abi()
    except (OSError, AttributeError) as error:
        return f"The native kernels in {path.name} cannot be opened ({error})."
    if version != ABI:
        return f"The native kernels in {path.name} are of version {version}, not {ABI}."
    return opened


def _reinstall() -> str:
    checkout = _FOLDER.parents[1]
    if (checkout / "pyproject.toml").is_file():
        return f"pip install --no-deps -e {checkout}"
    return "pip install --force-reinstall --no-deps --no-cache-dir tinyseg"
