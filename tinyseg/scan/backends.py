"""Which code computes a scan."""

from collections.abc import Callable

from torch import Tensor

from tinyseg.errors import UsageError
from tinyseg.scan.chunked import chunked_scan
from tinyseg.scan.exporting import current_form, hoisted_scan, portable_scan
from tinyseg.scan.operator import scan_as_operator
from tinyseg.scan.reference import reference_scan

Scan = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]

BACKENDS: dict[str, Scan] = {"chunked": chunked_scan, "reference": reference_scan}


def scan_sequence(x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """The bare recurrence in the layout of a Mamba layer, in the form that is asked for now.

    Args:
        x: input, (batch, length, channels).
        delta: step sizes, after softplus, (batch, length, channels).
        A: (channels, states).
        B: (batch, length, states).
        C: (batch, length, states).

    Returns:
        y (batch, length, channels), in the type of x; computed in float32 for half types.
    """
    kind = x.dtype
    if kind.itemsize < 4:
        x, delta, A, B, C = (tensor.float() for tensor in (x, delta, A, B, C))
    match current_form():
        case "eager":
            y = chunked_scan(x, delta, A, B, C)[0]
        case "operator":
            y = scan_as_operator(x, delta, A, B, C)
        case "hop2":
            y = hoisted_scan(x, delta, A, B, C)
        case "g8":
            y = portable_scan(x, delta, A, B, C)
    return y.to(kind)


def choose(backend: str, *, variable: bool) -> Scan:
    """The backend of a name; ``auto`` is chunked where it can, else reference.

    Args:
        backend: a name in `BACKENDS`, or ``auto``.
        variable: whether B and C vary in time, which ``chunked`` needs.

    Raises:
        UsageError: no such backend, or one that cannot do this.
    """
    if backend == "auto":
        return chunked_scan if variable else reference_scan
    if backend not in BACKENDS:
        raise UsageError(
            f"No scan backend is called '{backend}'.", f"There are: auto, {', '.join(BACKENDS)}."
        )
    if backend == "chunked" and not variable:
        raise UsageError(
            "The chunked scan needs B and C of shape (batch, states, length).",
            "Use backend='reference' for constant ones.",
        )
    return BACKENDS[backend]
