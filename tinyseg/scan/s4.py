"""S4: the scan with parameters that stay the same in time, seen as a convolution.

For teaching and for tests. Numbers of equations are those of "Mamba vs SOTA for Vision Tasks"; the
structured state space itself is Gu et al. 2022 (arXiv:2111.00396). All functions take any leading
dimensions, written ``...``, such as channels.
"""

from typing import Literal, get_args

import torch
from torch import Tensor

from tinyseg.errors import UsageError

#: How continuous A and B become those of a step. ``zoh`` is exact for an input that is constant
#: over a step; ``mamba`` takes its A, and delta B, which is what the selective scan calls ``zoh``;
#: ``bilinear`` is S4's; ``euler`` takes 1 + delta A and delta B.
Method = Literal["zoh", "mamba", "bilinear", "euler"]


def hippo_legs(states: int) -> tuple[Tensor, Tensor]:
    """HiPPO-LegS (Gu et al. 2020), whose state remembers the past as Legendre coefficients.

    In ``h' = A h + B x``, h_n becomes the integral over u from 0 to 1 of L_n(u) x(t + ln u), where
    L_n is the Legendre polynomial of degree n on [0, 1], of norm 1; u is 1 now and e^-s a time s
    ago (Gu et al. 2023, arXiv:2206.12037). `reconstruct` goes back.

    Returns:
        A (states, states), lower triangular, and B (states), in float64.
    """
    n = torch.arange(states, dtype=torch.float64)
    B = torch.sqrt(2 * n + 1)
    return torch.tril(-torch.outer(B, B), -1) - torch.diag(n + 1), B


def s4d_real(states: int) -> Tensor:
    """S4D-Real (Gu et al. 2022, arXiv:2206.11893): the diagonal of HiPPO-LegS, Mamba's start for A.

    Returns:
        -1, -2, … as (states) in float64.
    """
    return -torch.arange(1, states + 1, dtype=torch.float64)


def discretise(
    A: Tensor, B: Tensor, delta: float | Tensor, method: Method = "zoh"
) -> tuple[Tensor, Tensor]:
    """Turns ``h' = A h + B x`` into ``h[k] = Abar h[k-1] + Bbar x[k]`` for steps of one size.

    Args:
        A: (..., states, states).
        B: (..., states).
        delta: step size, a number or (...).
        method: see `Method`.

    Returns:
        Abar (..., states, states) and Bbar (..., states).

    Raises:
        UsageError: no such method.
    """
    step = torch.as_tensor(delta, dtype=A.dtype, device=A.device)[..., None]
    scaled_A, scaled_B = step[..., None] * A, step * B
    match method:
        case "zoh":
            # The exponential of [[A, B], [0, 0]] holds both, and asks for no inverse of A.
            rows = torch.cat([scaled_A, scaled_B.unsqueeze(-1)], -1)
            whole = torch.matrix_exp(torch.nn.functional.pad(rows, (0, 0, 0, 1)))
            return whole[..., :-1, :-1], whole[..., :-1, -1]
        case "mamba":
            return torch.matrix_exp(scaled_A), scaled_B
        case "bilinear":
            identity = torch.eye(A.shape[-1], dtype=A.dtype, device=A.device)
            right = torch.cat([identity + scaled_A / 2, scaled_B.unsqueeze(-1)], -1)
            whole = torch.linalg.solve(identity - scaled_A / 2, right)
            return whole[..., :-1], whole[..., -1]
        case "euler":
            return torch.eye(A.shape[-1], dtype=A.dtype, device=A.device) + scaled_A, scaled_B
        case _:
            raise UsageError(
                f"method should be one of {', '.join(get_args(Method))}, not {method}."
            )


def recurrence(Abar: Tensor, Bbar: Tensor, C: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Walks a sequence (equations 5 and 6): h[k] = Abar h[k-1] + Bbar x[k], y[k] = C h[k].

    Args:
        Abar: (..., states, states).
        Bbar: (..., states).
        C: (..., states).
        x: (..., length).

    Returns:
        y (..., length) and the last state (..., states); the state before the first step is 0.
    """
    h = torch.zeros_like(Bbar)
    y: list[Tensor] = []
    for x_k in x.unbind(-1):
        h = (Abar @ h.unsqueeze(-1)).squeeze(-1) + Bbar * x_k.unsqueeze(-1)
        y.append((C * h).sum(-1))
    return torch.stack(y, -1), h


def kernel(Abar: Tensor, Bbar: Tensor, C: Tensor, length: int) -> Tensor:
    """The response to an impulse (equation 8): K[j] = C Abar^j Bbar.

    Args:
        Abar: (..., states, states).
        Bbar: (..., states).
        C: (..., states).
        length: how many values.

    Returns:
        (..., length).
    """
    power = Bbar.unsqueeze(-1)
    values: list[Tensor] = []
    for _ in range(length):
        values.append((C.unsqueeze(-2) @ power)[..., 0, 0])
        power = Abar @ power
    return torch.stack(values, -1)


def convolve(x: Tensor, K: Tensor) -> Tensor:
    """The same walk at once (equations 7 and 9): y[k] = sum over j of K[j] x[k-j], by FFT.

    Args:
        x: (..., length).
        K: (..., length).

    Returns:
        (..., length).
    """
    length = x.shape[-1]
    size = 2 * length  # zeros behind both keep the end from wrapping around to the beginning
    product = torch.fft.rfft(x, size) * torch.fft.rfft(K, size)
    return torch.fft.irfft(product, size)[..., :length]


def reconstruct(state: Tensor, lags: Tensor) -> Tensor:
    """The past that a state of `hippo_legs` remembers: sum over n of h_n L_n(e^-lag).

    Args:
        state: (..., states).
        lags: how long ago, in the time of ``h' = A h + B x``, (points).

    Returns:
        (..., points).
    """
    n = torch.arange(state.shape[-1], dtype=state.dtype).unsqueeze(-1)
    u = torch.exp(-lags).to(state.dtype)
    return state @ (torch.sqrt(2 * n + 1) * torch.special.legendre_polynomial_p(2 * u - 1, n))
