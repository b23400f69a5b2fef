"""What every form of the scan is given."""

from typing import Any, Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from tinyseg.errors import UsageError
from tinyseg.scan.checks import check_floating, check_like

#: How a step of size delta turns A and B into those of the recurrence. ``zoh`` (zero-order hold for
#: A, Euler for B) is Mamba's: exp(delta A) and delta B. ``euler`` is 1 + delta A and delta B; its
#: states grow without bound once delta |A| > 2.
Discretisation = Literal["zoh", "euler"]

_COMPUTED = (torch.float32, torch.float64)
_DISCRETISATIONS = get_args(Discretisation)
_NAMES = ("x", "delta", "A", "B", "C", "D", "z", "delta_bias")


class Arguments(NamedTuple):
    """One scan, in the layout of a Mamba layer: (batch, length, channels), any strides.

    With d = softplus(delta + delta_bias) (each where wanted) and h[-1] = 0::

        h[t] = decay(d[t], A) h[t-1] + d[t] x[t] B[t]
        y[t] = (sum over states of C[t] h[t] + D x[t]) SiLU(z[t])
    """

    x: Tensor  # (batch, length, channels)
    delta: Tensor  # (batch, length, channels)
    A: Tensor  # (channels, states)
    B: Tensor  # (batch, length, states); (channels, states) where constant in time
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

    @property
    def vary_in_time(self) -> bool:
        """Whether both B and C have a value for every step."""
        return self.B.dim() == 3 and self.C.dim() == 3

    def prepared(self) -> "Arguments":
        """The same in the type to compute in, once it is certain that all fit together.

        Half types are computed in float32. Kernels that read memory rely on this look: it is the
        only one between a user and them.

        Raises:
            UsageError: a shape, type, device or discretisation that does not fit.
        """
        x, mixed = self.x, False
        for name, tensor, shape in zip(_NAMES, self.tensors, self._shapes(), strict=True):
            if tensor is not None and (
                tensor.shape != shape or tensor.dtype != x.dtype or tensor.device != x.device
            ):
                check_like(name, tensor, shape, "x", x)
                mixed = True
        if mixed or x.dtype not in _COMPUTED:
            return self.to(torch.promote_types(x.dtype, torch.float32))
        return self

    def to(self, kind: torch.dtype) -> "Arguments":
        """The same with all tensors of one type."""
        cast: Any = (None if tensor is None else tensor.to(kind) for tensor in self.tensors)
        given: Any = (*cast, *self[8:])
        return Arguments(*given)

    def steps(self) -> Tensor:
        """Step sizes, after bias and softplus: (batch, length, channels)."""
        delta = self.delta if self.delta_bias is None else self.delta + self.delta_bias
        return F.softplus(delta) if self.delta_softplus else delta

    def finish(self, y: Tensor) -> Tensor:
        """Adds the skip to the read-out of the states and applies the gate."""
        if self.D is not None:
            y = y + self.D * self.x
        return y if self.z is None else y * F.silu(self.z)

    def _shapes(self) -> tuple[tuple[int, ...], ...]:
        """What the eight tensors should measure, by x and A."""
        x, A, B, C = self.x, self.A, self.B, self.C
        check_floating("x", x)
        if x.dim() != 3:
            raise UsageError(f"x should be (batch, length, channels), not {tuple(x.shape)}.")
        if A.dim() != 2:
            raise UsageError(f"A should be (channels, states), not {tuple(A.shape)}.")
        if self.discretisation not in _DISCRETISATIONS:
            known = " or ".join(_DISCRETISATIONS)
            raise UsageError(f"discretisation should be {known}, not '{self.discretisation}'.")
        sequence = x.shape
        batch, length, channels = sequence
        constant = (channels, A.shape[1])
        variable = (batch, length, A.shape[1])
        of_B = constant if B.dim() == 2 else variable
        of_C = constant if C.dim() == 2 else variable
        return sequence, sequence, constant, of_B, of_C, (channels,), sequence, (channels,)


def decays(delta: Tensor, A: Tensor, discretisation: Discretisation) -> Tensor:
    """Factor of the state over a step: delta (…, channels), A (channels, states)."""
    product = delta.unsqueeze(-1) * A
    return torch.exp(product) if discretisation == "zoh" else 1 + product
