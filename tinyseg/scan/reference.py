"""The sequential scan: the truth that every other form is tested against."""

import torch
from torch import Tensor


def reference_scan(
    x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor
) -> tuple[Tensor, Tensor]:
    """Walks the recurrence of Mamba (Gu and Dao 2023, equations 2a, 2b and 4) step by step.

    ``h[t] = exp(delta[t] A) h[t-1] + delta[t] B[t] x[t]`` and ``y[t] = C[t] h[t]``: zero-order hold
    for A, Euler for B.

    Args:
        x: input, (batch, length, channels).
        delta: step sizes, (batch, length, channels).
        A: (channels, states).
        B: (batch, length, states), or (channels, states) where constant in time.
        C: as B.

    Returns:
        y (batch, length, channels) and the last state (batch, channels, states).
    """
    # `unbind`, not indexing: the backward of an index writes a whole zero tensor for every step.
    steps = zip(x.unbind(1), delta.unbind(1), _in_time(B, x), _in_time(C, x), strict=True)
    h = x.new_zeros(x.shape[0], *A.shape)
    y: list[Tensor] = []
    for x_t, delta_t, B_t, C_t in steps:
        decay = torch.exp(delta_t.unsqueeze(-1) * A)
        h = decay * h + (delta_t * x_t).unsqueeze(-1) * B_t
        y.append((h * C_t).sum(-1))
    return (torch.stack(y, 1) if y else torch.zeros_like(x)), h


def _in_time(coefficient: Tensor, x: Tensor) -> list[Tensor]:
    if coefficient.dim() == 2:
        return [coefficient] * x.shape[1]
    return list(coefficient.unsqueeze(2).unbind(1))
