"""What every form of the scan is given."""

from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

#: How a step of size delta turns A and B into those of the recurrence. ``zoh`` (zero-order hold for
#: A, Euler for B) is Mamba's: exp(delta A) and delta B. ``euler`` is 1 + delta A and delta B; its
#: states grow without bound once delta |A| > 2.
Discretisation = Literal["zoh", "euler"]


class Arguments(NamedTuple):
    """One scan, in the layout of a Mamba layer: (batch, length, channels), any strides.

    With d = softplus(delta + delta_bias) (each where wanted) and h[-1] = 0::

        h[t] = decay(d[t], A) h[t-1] + d[t] x[t] B[t]
        y[t] = (sum over states of C[t] h[t] + D x[t]) SiLU(z[t])
    """

    x: Tensor  # (batch, length, channels)
    delta: Tensor  # (batch, length, channels)
    A: Tensor  # (channels, states)
    B: Tensor  # (batch, length, states); (channels, states) where constant, for reference alone
    C: Tensor  # as B
    D: Tensor | None = None  # (channels)
    z: Tensor | None = None  # (batch, length, channels)
    delta_bias: Tensor | None = None  # (channels)
    delta_softplus: bool = False
    discretisation: Discretisation = "zoh"

    @property
    def tensors(self) -> tuple[Tensor | None, ...]:
        """The eight tensors, in order."""
        return self[:8]

    def to(self, kind: torch.dtype) -> "Arguments":
        """The same with all tensors of one type."""
        tensors: Any = (None if tensor is None else tensor.to(kind) for tensor in self.tensors)
        return Arguments(*tensors, self.delta_softplus, self.discretisation)

    def steps(self) -> Tensor:
        """Step sizes, after bias and softplus: (batch, length, channels)."""
        delta = self.delta if self.delta_bias is None else self.delta + self.delta_bias
        return F.softplus(delta) if self.delta_softplus else delta

    def finish(self, y: Tensor) -> Tensor:
        """Adds the skip to the read-out of the states and applies the gate."""
        if self.D is not None:
            y = y + self.D * self.x
        return y if self.z is None else y * F.silu(self.z)


def decays(delta: Tensor, A: Tensor, discretisation: Discretisation) -> Tensor:
    """Factor of the state over a step: delta (…, channels), A (channels, states)."""
    product = delta.unsqueeze(-1) * A
    return torch.exp(product) if discretisation == "zoh" else 1 + product
