"""The Mamba layer, with mamba-ssm's parameter names, shapes and initialisation."""

import math
from typing import get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinyseg.errors import UsageError
from tinyseg.layers.causal_conv import causal_conv_silu
from tinyseg.scan import Discretisation, scan_sequence

_DT_MIN, _DT_MAX, _DT_FLOOR = 1e-3, 0.1, 1e-4
_NO_DECAY = "_no_weight_decay"  # mamba-ssm's mark, which optimisers may read


class Mamba(nn.Module):
    """Selective state space layer (Gu and Dao 2023, section 3.4), over (batch, length, width).

    Weights go both ways between this layer and mamba-ssm's ``Mamba``.

    Args:
        width: features of a token, ``d_model``.
        states: states a channel, ``d_state``.
        kernel: taps of the causal convolution, ``d_conv``.
        expand: inner channels over width.
        discretisation: ``zoh``, as mamba-ssm has it, or ``euler``. Euler's states grow without
            bound once delta |A| > 2: fresh weights keep within 0.1 x ``states`` before the input
            adds to delta, so up to 16 states are safe to start with; training may leave that.

    Raises:
        UsageError: a size below 1, or no such discretisation.
    """

    def __init__(
        self,
        width: int,
        states: int = 16,
        kernel: int = 4,
        expand: int = 2,
        discretisation: Discretisation = "zoh",
    ) -> None:
        super().__init__()
        if min(width, states, kernel, expand) < 1:
            raise UsageError(
                "width, states, kernel and expand should be at least 1, "
                f"not {width}, {states}, {kernel} and {expand}."
            )
        if discretisation not in get_args(Discretisation):
            raise UsageError(f"discretisation should be 'zoh' or 'euler', not '{discretisation}'.")
        inner, rank = expand * width, math.ceil(width / 16)
        self.states, self.rank = states, rank
        self.discretisation: Discretisation = discretisation
        self.in_proj = nn.Linear(width, 2 * inner, bias=False)
        # Holds the weights, as in mamba-ssm; `causal_conv_silu` computes with them.
        self.conv1d = nn.Conv1d(inner, inner, kernel, groups=inner)
        self.x_proj = nn.Linear(inner, rank + 2 * states, bias=False)
        self.dt_proj = nn.Linear(rank, inner)
        self.A_log = nn.Parameter(torch.log(torch.arange(1.0, states + 1)).repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner))
        for parameter in (self.A_log, self.D):
            setattr(parameter, _NO_DECAY, True)
        self.out_proj = nn.Linear(inner, width, bias=False)
        self._initialise_dt()

    def _initialise_dt(self) -> None:
        """Step sizes start log-uniform in [0.001, 0.1], through the inverse of softplus."""
        nn.init.uniform_(self.dt_proj.weight, -(self.rank**-0.5), self.rank**-0.5)
        low, high = math.log(_DT_MIN), math.log(_DT_MAX)
        dt = torch.empty_like(self.dt_proj.bias).uniform_(low, high).exp().clamp(min=_DT_FLOOR)
        with torch.no_grad():
            self.dt_proj.bias.copy_(dt + torch.log(-torch.expm1(-dt)))

    def forward(self, tokens: Tensor) -> Tensor:
        """Maps (batch, length, width) to the same shape."""
        x, z = self.in_proj(tokens).chunk(2, dim=-1)
        x = causal_conv_silu(x, self.conv1d.weight, self.conv1d.bias)
        dt, B, C = self.x_proj(x).split([self.rank, self.states, self.states], dim=-1)
        delta, bias = F.linear(dt, self.dt_proj.weight), self.dt_proj.bias
        A = -torch.exp(self.A_log)
        y = scan_sequence(
            x, delta, A, B, C, self.D, z, bias, True, discretisation=self.discretisation
        )
        return self.out_proj(y)
