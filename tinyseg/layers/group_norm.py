"""Group norm that is fast where channels are innermost."""

import struct
from ctypes import c_void_p
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from tinyseg import native
from tinyseg.layers.native_kernels import may_use_native
from tinyseg.native.calling import address, call, whole
from tinyseg.scan.backend import wants_gradient

_NORM = struct.Struct("@5qd3q")  # tinyseg_group_norm of group_norm.h


class GroupNorm(nn.GroupNorm):
    """PyTorch's group norm (Wu and He 2018), with a kernel of its own for ``channels_last``.

    The kernel takes float32 pictures on the processor whose channels are innermost in memory; it
    sums in double precision and has no second derivative. All else goes to PyTorch's operator, and
    so does everything while a network is traced, compiled, exported or counted. Arguments and state
    are those of `torch.nn.GroupNorm`.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Maps (batch, channels, ...) to the same shape and memory layout."""
        weight, bias = self.weight, self.bias
        if not self._suits_kernel(input, weight, bias):
            return super().forward(input)
        if wants_gradient(input, weight, bias):
            return _GroupNorm.apply(input, weight, bias, self.num_groups, self.eps)  # pyright: ignore[reportReturnType]
        return _normalised(input, weight, bias, self.num_groups, self.eps)[0]

    def _suits_kernel(self, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> bool:
        return (
            may_use_native(x, weight, bias)
            and x.shape[1] == self.num_channels
            and x.is_contiguous(memory_format=torch.channels_last)
            # PyTorch refuses groups of a single value; an empty batch is left to it, too.
            and x.numel() > x.shape[0] * self.num_groups
        )


class _GroupNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, groups: int, eps: float
    ) -> Tensor:
        y, statistics = _normalised(x, weight, bias, groups, eps)
        ctx.save_for_backward(x, weight, statistics)
        ctx.has_bias, ctx.groups = bias is not None, groups
        return y

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, grad_y: Tensor
    ) -> tuple[Tensor | None, ...]:
        x, weight, statistics = ctx.saved_tensors
        grad_y = grad_y.contiguous(memory_format=torch.channels_last)
        grad_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        grad_weight, grad_bias = x.new_empty(x.shape[1]), x.new_empty(x.shape[1])
        weight = whole(weight)
        call(
            _functions()[1],
            _norm(x, weight, None, ctx.groups, 0),
            statistics.data_ptr(),
            grad_y.data_ptr(),
            address(grad_x),
            grad_weight.data_ptr(),
            grad_bias.data_ptr(),
        )
        of_weight = None if weight is None else grad_weight
        return grad_x, of_weight, grad_bias if ctx.has_bias else None, None, None


def _normalised(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, groups: int, eps: float
) -> tuple[Tensor, Tensor]:
    """y, and of every group the mean and 1 over the deviation, (batch, groups, 2)."""
    weight, bias = whole(weight), whole(bias)
    y, statistics = torch.empty_like(x), x.new_empty(x.shape[0], groups, 2, dtype=torch.float64)
    norm = _norm(x, weight, bias, groups, eps)
    call(_functions()[0], norm, y.data_ptr(), statistics.data_ptr())
    return y, statistics


def _norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, groups: int, eps: float) -> bytes:
    batch, channels, height, width = x.shape
    sizes = (torch.get_num_threads(), batch, height * width, channels, groups)
    return _NORM.pack(*sizes, eps, x.data_ptr(), address(weight), address(bias))


@cache
def _functions() -> tuple[Any, Any]:
    library = native.library()
    assert library is not None
    forward, backward = library.tinyseg_group_norm_forward, library.tinyseg_group_norm_backward
    forward.argtypes = [c_void_p] * 3
    backward.argtypes = [c_void_p] * 6
    return forward, backward
