"""The Mamba layer, with mamba-ssm's parameter names, shapes and initialisation."""

import math
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinyseg.errors import UsageError
from tinyseg.layers.causal_conv import causal_conv_silu
from tinyseg.layers.grid_conv import grid_conv_silu
from tinyseg.scan import Discretisation, scan_sequence

_DT_MIN, _DT_MAX, _DT_FLOOR = 1e-3, 0.1, 1e-4
_NO_DECAY = "_no_weight_decay"  # mamba-ssm's mark, which optimisers may read

#: ``causal`` along the sequence, as mamba-ssm has it; ``grid`` over rows and columns of tokens.
Convolution = Literal["causal", "grid"]


class Mamba(nn.Module):
    """Selective state space layer (Gu and Dao 2023, section 3.4), over (batch, length, width).

    Weights go both ways between this layer and mamba-ssm's ``Mamba``.

    In both directions it gives the mean of two scans, one of them over the tokens in reverse order
    (Zhu et al. 2024, "Vision Mamba", Alg. 1, halved as in the code's final models). They share the
    projections in and out and the gate; all else that the way back has is in ``back``.

    Args:
        width: features of a token, ``d_model``.
        states: states a channel, ``d_state``.
        kernel: taps of the convolution a dimension, ``d_conv``; odd over a grid.
        expand: inner channels over width.
        discretisation: ``zoh``, as mamba-ssm has it, or ``euler``. Euler's states grow without
            bound once delta |A| > 2: fresh weights keep within 0.1 x ``states`` before the input
            adds to delta, so up to 16 states are safe to start with; training may leave that.
        convolution: ``causal``, or ``grid`` for tokens (batch, height, row, width), which are
            scanned row by row.
        bidirectional: scan forwards and backwards.

    Raises:
        UsageError: a size below 1, an even kernel over a grid, no such discretisation or
            convolution.
    """

    def __init__(
        self,
        width: int,
        states: int = 16,
        kernel: int = 4,
        expand: int = 2,
        discretisation: Discretisation = "zoh",
        convolution: Convolution = "causal",
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        if min(width, states, kernel, expand) < 1:
            raise UsageError(
                "width, states, kernel and expand should be at least 1, "
                f"not {width}, {states}, {kernel} and {expand}."
            )
        if discretisation not in get_args(Discretisation):
            raise UsageError(f"discretisation should be 'zoh' or 'euler', not '{discretisation}'.")
        if convolution not in get_args(Convolution):
            raise UsageError(f"convolution should be 'causal' or 'grid', not '{convolution}'.")
        if convolution == "grid" and kernel % 2 == 0:
            raise UsageError(f"kernel should be odd over a grid, not {kernel}.")
        inner = expand * width
        self.inner, self.states, self.rank = inner, states, math.ceil(width / 16)
        self.discretisation: Discretisation = discretisation
        self.convolution: Convolution = convolution
        self.in_proj = nn.Linear(width, 2 * inner, bias=False)
        # These hold the weights, as in mamba-ssm; `mixed` computes with them.
        if convolution == "causal":
            self.conv1d = nn.Conv1d(inner, inner, kernel, groups=inner)
        else:
            self.conv2d = nn.Conv2d(inner, inner, kernel, groups=inner)
        self._add_scan()
        self.D = nn.Parameter(torch.ones(inner))
        for name, parameter in self.named_parameters(recurse=False):
            if name in ("A_log", "D"):
                setattr(parameter, _NO_DECAY, True)
        self.out_proj = nn.Linear(inner, width, bias=False)
        self._initialise_steps()
        self.back: Mamba | None = None
        if bidirectional:
            self.back = type(self)(width, states, kernel, expand, discretisation, convolution)
            del self.back.in_proj, self.back.out_proj  # shared

    def _add_scan(self) -> None:
        """What step sizes, B and C are computed from, and A."""
        self.x_proj = nn.Linear(self.inner, self.rank + 2 * self.states, bias=False)
        self.dt_proj = nn.Linear(self.rank, self.inner)
        self.A_log = nn.Parameter(log_of_integers(self.states).repeat(self.inner, 1))

    def _initialise_steps(self) -> None:
        nn.init.uniform_(self.dt_proj.weight, -(self.rank**-0.5), self.rank**-0.5)
        with torch.no_grad():
            self.dt_proj.bias.copy_(fresh_steps(self.inner))

    def forward(self, tokens: Tensor) -> Tensor:
        """Maps (batch, length, width), or (batch, height, row, width), to the same shape."""
        x, z = self.in_proj(tokens).chunk(2, dim=-1)
        y = self.mixed(x, z)
        if self.back is not None:
            y = (y + _reversed(self.back.mixed(_reversed(x), _reversed(z)))) / 2
        return self.out_proj(y)

    def mixed(self, x: Tensor, z: Tensor) -> Tensor:
        """One direction without the projections in and out.

        Args:
            x: what is convolved and scanned; tokens with inner channels.
            z: gate, the same shape.
        """
        if self.convolution == "causal":
            return self.scanned(causal_conv_silu(x, self.conv1d.weight, self.conv1d.bias), z)
        convolved = grid_conv_silu(x, self.conv2d.weight, self.conv2d.bias)
        return self.scanned(convolved.flatten(1, 2), z.flatten(1, 2)).unflatten(1, x.shape[1:3])

    def scanned(self, x: Tensor, z: Tensor) -> Tensor:
        """What goes into the last projection.

        Args:
            x: convolved, (batch, length, inner channels).
            z: gate, the same shape.
        """
        dt, B, C = self.x_proj(x).split([self.rank, self.states, self.states], dim=-1)
        delta, bias = F.linear(dt, self.dt_proj.weight), self.dt_proj.bias
        A = -torch.exp(self.A_log)
        return scan_sequence(
            x, delta, A, B, C, self.D, z, bias, True, discretisation=self.discretisation
        )


def _reversed(tokens: Tensor) -> Tensor:
    """In reverse order; rows and columns alike."""
    return tokens.flip(tuple(range(1, tokens.dim() - 1)))


def log_of_integers(states: int) -> Tensor:
    """log(1), log(2) and so on: how A starts, up to its sign (S4D-real)."""
    return torch.log(torch.arange(1.0, states + 1))


def fresh_steps(
    count: int, low: float = _DT_MIN, high: float = _DT_MAX, floor: float = _DT_FLOOR
) -> Tensor:
    """What softplus turns into step sizes that are log-uniform between two, none below a floor."""
    dt = torch.empty(count).uniform_(math.log(low), math.log(high)).exp().clamp(min=floor)
    return dt + torch.log(-torch.expm1(-dt))
