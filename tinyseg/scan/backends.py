"""Which code computes a scan."""

import warnings
from functools import cache

from tinyseg.errors import UsageError
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.backend import Backend
from tinyseg.scan.chunked import Chunked
from tinyseg.scan.mamba_ssm import MambaSSM
from tinyseg.scan.native import Native
from tinyseg.scan.reference import Reference
from tinyseg.scan.triton_scan import TritonScan

_PREFERRED: tuple[Backend, ...] = (MambaSSM(), TritonScan(), Native(), Chunked(), Reference())

#: By name, the one that ``auto`` prefers first.
BACKENDS: dict[str, Backend] = {backend.name: backend for backend in _PREFERRED}


def choose(backend: str, arguments: Arguments) -> Backend:
    """The backend of a name; ``auto`` is the first in `BACKENDS` that can do it here.

    A broken one that ``auto`` passes over is warned of, once in a process.

    Raises:
        UsageError: no such backend, or one that cannot do this.
    """
    if backend == "auto":
        return _first(arguments)
    if backend not in BACKENDS:
        raise UsageError(
            f"No scan backend is called '{backend}'.", f"There are: auto, {', '.join(BACKENDS)}."
        )
    chosen = BACKENDS[backend]
    if missing := chosen.unavailable():
        raise UsageError(f"The scan backend '{backend}' is not available: {missing}")
    if reason := chosen.refuses(arguments):
        raise UsageError(f"The scan backend '{backend}' {reason}.", "Leave the backend to 'auto'.")
    return chosen


def _first(arguments: Arguments) -> Backend:
    for backend in _PREFERRED:
        if backend.refuses(arguments):  # first, because it imports nothing
            continue
        if not backend.unavailable():
            return backend
        if problem := backend.broken():
            _warn(f"The scan goes on without the backend '{backend.name}': {problem}")
    raise AssertionError("the reference takes everything")


@cache
def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=2)
