"""Finds and opens the library of compiled kernels; knows no torch.

The library is plain C, called through ctypes: it is bound to no version of Python or torch. Its
wrappers beside this file declare the functions they call.
"""

import ctypes
import platform
from functools import cache
from pathlib import Path

#: The version of the functions that Python expects; its other half is in abi.c.
ABI = 3

_FOLDER = Path(__file__).parent
_ENDINGS = (".so", ".dylib", ".pyd")
_BASE = {"x86_64": "SSE2", "amd64": "SSE2", "aarch64": "NEON", "arm64": "NEON"}


def library() -> ctypes.CDLL | None:
    """The library, or None where `unavailable` says why."""
    return _opened()[0]


def unavailable() -> str | None:
    """Why there are no native kernels, and the mend; None where there are."""
    return _opened()[1]


def broken() -> str | None:
    """As `unavailable`, where a library was built that does not open; None also without one."""
    return _opened()[1] if _built() else None


def vector_width() -> str | None:
    """How many floats a vector holds, and whose vectors they are; None without a library."""
    if (kernels := library()) is None:
        return None
    base = _BASE.get(platform.machine().lower(), "plain C")
    return (f"4 floats ({base})", "8 floats (AVX2)", "16 floats (AVX-512)")[kernels.tinyseg_level()]


@cache
def _opened() -> tuple[ctypes.CDLL | None, str | None]:
    problem = (
        "tinyseg was installed without a C compiler, so there are no native kernels. Install one "
        f"(on Debian: apt install gcc; on macOS: xcode-select --install), then: {_reinstall()}"
    )
    for path in _built():
        opened = _open(path)
        if isinstance(opened, ctypes.CDLL):
            return opened, None
        problem = f"{opened} Build it anew: {_reinstall()}"
    return None, problem


def _built() -> list[Path]:
    """The libraries, one for each Python that built here and all much the same; newest first."""
    found = [path for path in _FOLDER.glob("_kernels*") if path.suffix in _ENDINGS]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


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
