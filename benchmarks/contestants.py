"""Who scans: the backends of this installation, and their rivals."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.problems import Problem, Scan
from tinyseg.errors import MissingExtraError, TinysegError
from tinyseg.scan import BACKENDS, scan_sequence
from tinyseg.scan.arguments import Arguments

RIVALS = ("mambapy", "loop")

_TOLERANCE = 1e-4  # of the largest entry: sums of float32 in another order
_OUTPUTS = ("y", *(f"the gradient of {name}" for name in ("x", "delta", "A", "B", "C", "D")))


def mambapy_scan(x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
    """The scan of mambapy's block: its parallel scan, and what its block does around it."""
    nothing: Any = None  # the method looks at no block
    return _mambapy_block().selective_scan(nothing, x, delta, A, B, C, D)


def loop_scan(x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
    """What one writes down first: all decays and inflows, a loop over time, one read-out."""
    decay = torch.exp(delta.unsqueeze(-1) * A)
    inflow = (delta * x).unsqueeze(-1) * B.unsqueeze(2)
    h = torch.zeros_like(inflow[:, 0])
    states: list[Tensor] = []
    for a, b in zip(decay.unbind(1), inflow.unbind(1), strict=True):
        h = a * h + b
        states.append(h)
    return (torch.stack(states, 1) @ C.unsqueeze(-1)).squeeze(-1) + D * x


def rivals() -> dict[str, Scan]:
    """Scans to compare with, by name.

    Raises:
        MissingExtraError: mambapy is not installed.
    """
    _mambapy_block()
    return {"mambapy": mambapy_scan, "loop": loop_scan}


def backends(device: str) -> dict[str, Scan]:
    """Backends that work in this installation on a device, through the public function."""
    arguments = _smallest(device)
    return {
        name: partial(scan_sequence, backend=name)
        for name, backend in BACKENDS.items()
        if not backend.refuses(arguments) and not backend.unavailable()
    }


def require_agreement(scans: dict[str, Scan], problem: Problem) -> None:
    """A benchmark of wrong results is void.

    Raises:
        TinysegError: an output or gradient that is not the first scan's.
    """
    (first, scan), *others = scans.items()
    expected = problem.both(scan)
    for name, other in others:
        for what, right, got in zip(_OUTPUTS, expected, problem.both(other), strict=True):
            difference = (right - got).detach().abs().max()
            error = float(difference / right.detach().abs().max())
            if not error <= _TOLERANCE:  # also where it is no number
                raise TinysegError(
                    f"{what[0].upper()}{what[1:]} by '{name}' differs from that by '{first}' by "
                    f"{error:.1e} of its largest entry, so there is nothing to time."
                )


def _smallest(device: str) -> Arguments:
    row, square = torch.ones(1, 1, 1, device=device), torch.ones(1, 1, device=device)
    return Arguments(row, row, square, row, row, square[0])


def _mambapy_block():
    try:
        from mambapy.mamba import MambaBlock
    except ImportError:
        raise MissingExtraError("The benchmark", "mambapy", "bench") from None
    return MambaBlock
