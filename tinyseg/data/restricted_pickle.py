"""Pickles of lists, texts and arrays of bytes, read without running anything that is in them.

Unpickling calls whatever a file names. Here the few names that arrays need stand for the classes
and functions below, which only keep what they are given; every other name is refused. Neither
NumPy's own unpickling nor any import is reached.
"""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyseg.errors import TinysegError

_BYTES = {"u1", "uint8", "|u1"}


class _DType:
    """Stands for ``numpy.dtype``."""

    name: Any = None

    def __init__(self, name: Any = None, *_: Any) -> None:
        self.name = name.decode("latin1") if isinstance(name, bytes) else name

    def __setstate__(self, _: object) -> None:
        """Byte order and fields, which bytes do not have."""


class _Array:
    """Stands for ``numpy.ndarray``."""

    array: NDArray[np.uint8] | None = None

    def __init__(self, *_: Any) -> None:
        """Takes what `_reconstruct` is called with: a class and an empty shape."""

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, by_columns, values = state
        self.array = _filled(values, dtype, shape, "F" if by_columns else "C").array


def _filled(values: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    """An array from its bytes, as pickles of protocol 5 make it."""
    if not isinstance(dtype, _DType) or dtype.name not in _BYTES:
        raise ValueError("an array is not of uint8")
    made = _Array()
    made.array = np.frombuffer(values, np.uint8).reshape(shape, order=order)
    return made


def _encoded(text: str, encoding: Any = "latin1") -> bytes:
    """Bytes, as Python 3 writes them for Python 2."""
    if encoding not in ("latin1", b"latin1"):
        raise ValueError(f"bytes are written as {encoding!r}")
    return text.encode("latin1")


_STAND_INS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _DType,
    ("numpy", "ndarray"): _Array,
    ("_codecs", "encode"): _encoded,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _filled for core in ("core", "_core")},
}


class _ForbiddenError(Exception):
    """A name that no array needs."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return _STAND_INS[module_name, global_name]
        except KeyError:
            raise _ForbiddenError(f"{module_name}.{global_name}") from None


def read_pickled_dict(path: Path, mend: str) -> dict[str, Any]:
    """Reads a dict of texts, numbers, lists and uint8 arrays from a pickle of any protocol.

    Args:
        path: the file.
        mend: what helps where it is broken.

    Returns:
        The dict with keys of `str`; arrays are `numpy.ndarray`, texts of Python 2 `bytes`.

    Raises:
        TinysegError: the file is missing, is no such pickle, was cut off, or names anything that
            could be run.
    """
    try:
        with path.open("rb") as file:
            content: object = _Unpickler(file, encoding="bytes").load()
    except _ForbiddenError as error:
        raise TinysegError(
            f"The file {path} asks for {error}, which pickles of pictures do not need: refused, "
            "since it could run code.",
            "Do not trust it; bring the data from its makers.",
        ) from None
    except OSError as error:
        raise TinysegError(f"The file {path} cannot be read ({error.strerror}).", mend) from error
    except Exception as error:  # a broken pickle can fail in every way, of memory included
        raise TinysegError(f"The file {path} {_what_is_wrong(path, error)}.", mend) from error
    if not isinstance(content, dict):
        raise TinysegError(f"The file {path} is a pickle, but not of a dict.", mend)
    return {text_of(key): _plain(value) for key, value in content.items()}


def text_of(text: object) -> str:
    """A text of a pickle, of whichever Python wrote it."""
    return text.decode("ascii", "replace") if isinstance(text, bytes) else str(text)


def _plain(value: Any) -> Any:
    return value.array if isinstance(value, _Array) else value


def _what_is_wrong(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        begin = file.read(64).lstrip().lower()
    if not begin:
        return "is empty"
    if begin.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "is a web page where a pickle should be"
    if isinstance(error, EOFError) or "truncated" in str(error):
        return "is a pickle that was cut off"
    return "is no pickle of lists and uint8 arrays"
