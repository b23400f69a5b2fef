"""`scan_sequence`: the scan as a Mamba layer calls it."""

import torch
from torch import Tensor

from tinyseg.scan.arguments import Arguments, Discretisation
from tinyseg.scan.backends import choose
from tinyseg.scan.exporting import (
    current_form,
    hoisted_scan,
    is_traced,
    lean_scan,
    portable_scan,
)
from tinyseg.scan.operator import has_operator, scan_as_operator


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

    Arguments and meaning are those of `Arguments`.

    Args:
        x: input, (batch, length, channels).
        delta: step sizes, (batch, length, channels).
        A: (channels, states).
        B: (batch, length, states), or constant (channels, states).
        C: as B.
        D: skip, (channels).
        z: gate, (batch, length, channels).
        delta_bias: added to delta, (channels).
        delta_softplus: whether delta goes through softplus, after its bias.
        discretisation: ``zoh`` or ``euler``.
        backend: ``auto`` or a name in `BACKENDS`.

    Returns:
        y (batch, length, channels), in the type of x; computed in float32 for half types, also
        under autocast.

    Raises:
        UsageError: arguments that do not fit together; the sentence names the one.
    """
    arguments = Arguments(x, delta, A, B, C, D, z, delta_bias, delta_softplus, discretisation)
    return scan_in_form(arguments, backend)[0].to(x.dtype)


def scan_in_form(arguments: Arguments, backend: str) -> tuple[Tensor, Tensor]:
    """Gives y and the last state, in the type they are computed in and the form asked for now.

    Raises:
        UsageError: arguments that do not fit together, or that the backend cannot compute.
    """
    arguments = arguments.prepared()
    device = arguments.x.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        with torch.autocast(device, enabled=False):
            return _in_form(arguments, backend)
    return _in_form(arguments, backend)  # without a context, which exporters would write down


def _in_form(arguments: Arguments, backend: str) -> tuple[Tensor, Tensor]:
    match current_form():
        case "operator":
            return scan_as_operator(arguments, "chunked")
        case "hop2":
            return hoisted_scan(arguments)
        case "g8":
            return portable_scan(arguments)
        case "lean":
            return lean_scan(arguments)
        case "eager":
            if is_traced() and has_operator(arguments, backend):
                return scan_as_operator(arguments, backend)
            return choose(backend, arguments).scan(arguments)
