"""Which code computes a scan."""

import torch
from torch import Tensor

from tinyseg.errors import UsageError
from tinyseg.scan.arguments import Arguments, Discretisation
from tinyseg.scan.backend import Backend, Kernel
from tinyseg.scan.chunked import Chunked
from tinyseg.scan.exporting import current_form, hoisted_scan, portable_scan
from tinyseg.scan.operator import scan_as_operator
from tinyseg.scan.reference import Reference

_PREFERRED: tuple[Backend, ...] = (Chunked(), Reference())

#: By name, the one that ``auto`` prefers first.
BACKENDS: dict[str, Backend] = {backend.name: backend for backend in _PREFERRED}


def scan_sequence(
    x: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
    *,
    discretisation: Discretisation = "zoh",
    backend: str = "auto",
) -> Tensor:
    """The scan in the layout of a Mamba layer, in the form that is asked for now.

    Arguments and meaning are those of `Arguments`; shapes are not checked here (`selective_scan`
    does that).

    Args:
        x: input, (batch, length, channels).
        delta: step sizes, (batch, length, channels).
        A: (channels, states).
        B: (batch, length, states).
        C: (batch, length, states).
        D: skip, (channels).
        z: gate, (batch, length, channels).
        delta_bias: added to delta, (channels).
        delta_softplus: whether delta goes through softplus, after its bias.
        discretisation: ``zoh`` or ``euler``.
        backend: ``auto`` or a name in `BACKENDS`.

    Returns:
        y (batch, length, channels), in the type of x; computed in float32 for half types, also
        under autocast.
    """
    arguments = Arguments(x, delta, A, B, C, D, z, delta_bias, delta_softplus, discretisation)
    kind = torch.promote_types(x.dtype, torch.float32)
    with torch.autocast(x.device.type, enabled=False):
        y = _in_form(arguments.to(kind), backend)
    return y.to(x.dtype)


def _in_form(arguments: Arguments, backend: str) -> Tensor:
    match current_form():
        case "operator":
            return scan_as_operator(Chunked(), arguments)
        case "hop2":
            return hoisted_scan(arguments)
        case "g8":
            return portable_scan(arguments)
        case "eager":
            chosen = choose(backend, arguments)
            if torch.compiler.is_compiling() and isinstance(chosen, Kernel):
                return scan_as_operator(chosen, arguments)
            return chosen.scan(arguments)[0]


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
