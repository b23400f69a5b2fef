"""What may stand in the place of the selective scan, to measure what it is worth.

All keep the rest of a Mamba layer: its projections, the convolution, skip and gate.
"""

import math
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinyseg.errors import UsageError
from tinyseg.layers.mamba import Convolution, Mamba, fresh_steps, log_of_integers
from tinyseg.scan import Discretisation, scan_sequence

#: ``s6`` is Mamba's own scan; ``s4`` one whose step sizes, B and C do not depend on the input;
#: ``ssd`` one with a single decay a head, as Mamba-2 has it; ``none`` leaves it out.
Mixer = Literal["s6", "s4", "ssd", "none"]

_WIDEST_HEAD = 64  # channels, as Mamba-2 has them
_FASTEST = 16.0  # decay of a head at the start, over its step size; Mamba-2's


def make_mixer(
    mixer: Mixer,
    width: int,
    states: int = 16,
    kernel: int = 4,
    expand: int = 2,
    discretisation: Discretisation = "zoh",
    convolution: Convolution = "causal",
    bidirectional: bool = False,
) -> Mamba:
    """A layer over (batch, length, width), or (batch, height, row, width) on a grid.

    Args:
        mixer: which scan it has.
        width: features of a token.
        states: states a channel.
        kernel: taps of the convolution.
        expand: inner channels over width.
        discretisation: ``zoh`` or ``euler``; see `Mamba`.
        convolution: ``causal`` or ``grid``; see `Mamba`.
        bidirectional: scan forwards and backwards.

    Raises:
        UsageError: no such mixer, or as `Mamba`.
    """
    if mixer not in get_args(Mixer):
        raise UsageError(f"mixer should be 's6', 's4', 'ssd' or 'none', not '{mixer}'.")
    layer = _LAYERS[mixer]
    return layer(width, states, kernel, expand, discretisation, convolution, bidirectional)


class TimeInvariantMamba(Mamba):
    """Mamba without selection: the same step sizes, B and C at every token.

    B and C are shared by all channels, as Mamba shares them; A starts as that of S4D-real (Gu et
    al. 2022, arXiv:2206.11893), B with ones, C normal. Arguments are those of `Mamba`.
    """

    def _add_scan(self) -> None:
        self.A_log = nn.Parameter(log_of_integers(self.states).repeat(self.inner, 1))
        self.B = nn.Parameter(torch.ones(self.states))
        self.C = nn.Parameter(torch.randn(self.states))
        self.dt_bias = nn.Parameter(torch.empty(self.inner))

    def _initialise_steps(self) -> None:
        with torch.no_grad():
            self.dt_bias.copy_(fresh_steps(self.inner))

    def scanned(self, x: Tensor, z: Tensor) -> Tensor:
        """See `Mamba.scanned`."""
        delta = F.softplus(self.dt_bias).expand_as(x)
        B, C = (constant.expand(*x.shape[:2], -1) for constant in (self.B, self.C))
        return scan_sequence(
            x, delta, -torch.exp(self.A_log), B, C, self.D, z, discretisation=self.discretisation
        )


class HeadwiseMamba(Mamba):
    """Mamba with one decay and one step size a head (Dao and Gu 2024, arXiv:2405.21060).

    A head has as many channels as divide both 64 and the inner channels, at most. Step sizes are
    projected directly, and A starts uniform from -16 to -1, as in Mamba-2; the order of projection
    and convolution stays Mamba's. Arguments are those of `Mamba`.
    """

    def _add_scan(self) -> None:
        self.head_width = math.gcd(self.inner, _WIDEST_HEAD)
        self.heads = self.inner // self.head_width
        self.x_proj = nn.Linear(self.inner, self.heads + 2 * self.states, bias=False)
        self.A_log = nn.Parameter(torch.empty(self.heads).uniform_(1, _FASTEST).log())
        self.dt_bias = nn.Parameter(torch.empty(self.heads))

    def _initialise_steps(self) -> None:
        with torch.no_grad():
            self.dt_bias.copy_(fresh_steps(self.heads))

    def scanned(self, x: Tensor, z: Tensor) -> Tensor:
        """See `Mamba.scanned`."""
        dt, B, C = self.x_proj(x).split([self.heads, self.states, self.states], dim=-1)
        delta = self._of_channels(F.softplus(dt + self.dt_bias))
        A = self._of_channels(-torch.exp(self.A_log)).unsqueeze(-1).expand(-1, self.states)
        return scan_sequence(x, delta, A, B, C, self.D, z, discretisation=self.discretisation)

    def _of_channels(self, of_heads: Tensor) -> Tensor:
        return of_heads.unsqueeze(-1).expand(*of_heads.shape, self.head_width).flatten(-2)


class UnmixedMamba(Mamba):
    """Mamba without a scan: tokens meet in the convolution alone.

    Arguments are those of `Mamba`; there is nothing to discretise but by ``zoh``.

    Raises:
        UsageError: another discretisation, or as `Mamba`.
    """

    def _add_scan(self) -> None:
        if self.discretisation != "zoh":
            raise UsageError(
                f"discretisation should be left out where mixer is 'none', not "
                f"'{self.discretisation}'."
            )

    def _initialise_steps(self) -> None:
        pass

    def scanned(self, x: Tensor, z: Tensor) -> Tensor:
        """See `Mamba.scanned`."""
        return self.D * x * F.silu(z)


_LAYERS: dict[Mixer, type[Mamba]] = {
    "s6": Mamba,
    "s4": TimeInvariantMamba,
    "ssd": HeadwiseMamba,
    "none": UnmixedMamba,
}
