"""The sequential scan: the truth that every other form is tested against."""

import torch
from torch import Tensor

from tinyseg.scan.arguments import Arguments, decays
from tinyseg.scan.backend import Backend


class Reference(Backend):
    """Walks the recurrence step by step, in any type, under autograd."""

    name = "reference"

    def scan(self, arguments: Arguments) -> tuple[Tensor, Tensor]:
        """See `Backend.scan`."""
        y, last = reference_scan(arguments)
        return y, last.detach()


def reference_scan(arguments: Arguments) -> tuple[Tensor, Tensor]:
    """The recurrence of Mamba (Gu and Dao 2023, equations 2a, 2b and 4), as `Arguments` writes it.

    B and C are (batch, length, states), or (channels, states) where constant in time.

    Returns:
        y (batch, length, channels) and the last state (batch, channels, states).
    """
    x, A = arguments.x, arguments.A
    # `unbind`, not indexing: the backward of an index writes a whole zero tensor for every step.
    steps = zip(
        x.unbind(1),
        arguments.steps().unbind(1),
        _in_time(arguments.B, x),
        _in_time(arguments.C, x),
        strict=True,
    )
    h = x.new_zeros(x.shape[0], *A.shape)
    y: list[Tensor] = []
    for x_t, delta_t, B_t, C_t in steps:
        decay = decays(delta_t, A, arguments.discretisation)
        h = decay * h + (delta_t * x_t).unsqueeze(-1) * B_t
        y.append((h * C_t).sum(-1))
    return arguments.finish(torch.stack(y, 1) if y else torch.zeros_like(x)), h


def _in_time(coefficient: Tensor, x: Tensor) -> list[Tensor]:
    if coefficient.dim() == 2:
        return [coefficient] * x.shape[1]
    return list(coefficient.unsqueeze(2).unbind(1))
