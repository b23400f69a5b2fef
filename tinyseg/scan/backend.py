"""What computes a scan: backends, and those with a backward of their own."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tinyseg.scan.arguments import Arguments


class Backend(ABC):
    """One way to compute a scan.

    Attributes:
        name: what a user calls it.
    """

    name: str

    def unavailable(self) -> str | None:
        """Why it cannot work in this installation, with the mend; None where it can."""
        return None

    def broken(self) -> str | None:
        """What is wrong with an installed part that it needs, with the mend.

        None where it works, and where nothing of the kind is installed.
        """
        return None

    def refuses(self, arguments: Arguments) -> str | None:
        """Why it cannot compute these arguments, one clause; None where it can."""
        return None

    @abstractmethod
    def scan(self, arguments: Arguments) -> tuple[Tensor, Tensor]:
        """Gives y (batch, length, channels) and the last state (batch, channels, states).

        Args:
            arguments: all of one type, float32 or float64.
        """


def wants_gradient(*tensors: Tensor | None) -> bool:
    """Whether autograd would record an operation on these."""
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)


class Gradients(NamedTuple):
    """Gradients of a scan, named as the arguments they are of; None for those that are None."""

    x: Tensor
    delta: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor | None
    z: Tensor | None
    delta_bias: Tensor | None


class Kernel(Backend):
    """A backend with a backward of its own, which starts from saved states and recomputes the rest.

    Autograd and the operator that compilers see are written once, against these methods.
    """

    @abstractmethod
    def starts_shape(self, arguments: Arguments) -> tuple[int, ...]:
        """Shape of the states that `forward` keeps for `backward`."""

    @abstractmethod
    def forward(self, arguments: Arguments, keep_starts: bool) -> tuple[Tensor, Tensor, Tensor]:
        """y, last state, and the kept states (an empty tensor where they are not wanted)."""

    @abstractmethod
    def backward(self, arguments: Arguments, starts: Tensor, grad_y: Tensor) -> Gradients:
        """Gradients for the gradient of y; each is contiguous."""

    def scan(self, arguments: Arguments) -> tuple[Tensor, Tensor]:
        """See `Backend.scan`; the last state carries no gradient, second derivatives raise."""
        if wants_gradient(*arguments.tensors):
            return _KernelFunction.apply(self, *arguments)  # pyright: ignore[reportReturnType]
        return self.forward(arguments, keep_starts=False)[:2]


class _KernelFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kernel: Kernel, *arguments: Any) -> tuple[Tensor, Tensor]:
        together = Arguments(*arguments)
        y, last, starts = kernel.forward(together, keep_starts=True)
        ctx.kernel, ctx.rest = kernel, together[8:]
        ctx.save_for_backward(*together.tensors, starts)
        ctx.mark_non_differentiable(last)
        return y, last

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        *tensors, starts = ctx.saved_tensors
        with torch.autocast(tensors[0].device.type, enabled=False):
            gradients = ctx.kernel.backward(Arguments(*tensors, *ctx.rest), starts, grads[0])
        return None, *gradients, None, None
