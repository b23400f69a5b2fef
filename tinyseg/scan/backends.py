"""Which code computes a scan."""

from tinyseg.errors import UsageError
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.backend import Backend
from tinyseg.scan.chunked import Chunked
from tinyseg.scan.native import Native
from tinyseg.scan.reference import Reference

_PREFERRED: tuple[Backend, ...] = (Native(), Chunked(), Reference())

#: By name, the one that ``auto`` prefers first.
BACKENDS: dict[str, Backend] = {backend.name: backend for backend in _PREFERRED}


def choose(backend: str, arguments: Arguments) -> Backend:
    """The backend of a name; ``auto`` is the first in `BACKENDS` that can do it here.

    Raises:
        UsageError: no such backend, or one that cannot do this.
    """
    if backend == "auto":
        return next(b for b in _PREFERRED if not (b.unavailable() or b.refuses(arguments)))
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
