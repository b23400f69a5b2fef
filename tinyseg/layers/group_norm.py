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

_NORM = struct.Struct("@6qd3q")  # tinyseg_group_norm of group_norm.h


class GroupNorm(nn.GroupNorm):
    """PyTorch's group norm (Wu and He 2018), with a kernel of its own for ``channels_last``.

    The kernel takes float32 pictures on the processor whose channels are innermost in memory; it
    sums in double precision and has no second derivative. All else goes to PyTorch's operator, and
    so does everything while a network is traced, compiled, exported or counted. Arguments and state
    are those of `torch.nn.GroupNorm`.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Maps (batch, channels, ...) to the same shape and memory layout."""
        return self.by_kernel(input) if self.suits_kernel(input) else super().forward(input)

    def suits_kernel(self, x: Tensor) -> bool:
        """Whether a kernel can and may compute this."""
        return (
            may_use_native(x, self.weight, self.bias)
            and x.shape[1] == self.num_channels
            and x.is_contiguous(memory_format=torch.channels_last)
            # PyTorch refuses groups of a single value; an empty batch is left to it, too.
            and x.numel() > x.shape[0] * self.num_groups
        )

    def by_kernel(self, x: Tensor, pooled: bool = False) -> Tensor:
        """What `forward` gives, or with ``pooled`` of every 2x2 pixels of it the largest."""
        arguments = (x, self.weight, self.bias, self.num_groups, self.eps, pooled)
        if wants_gradient(*arguments[:3]):
            return _GroupNorm.apply(*arguments)  # pyright: ignore[reportReturnType]
        return _normalised(*arguments)[0]


class _GroupNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        groups: int,
        eps: float,
        pooled: bool,
    ) -> Tensor:
        y, statistics = _normalised(x, weight, bias, groups, eps, pooled)
        ctx.save_for_backward(x, weight, statistics)
        ctx.has_bias, ctx.groups, ctx.pooled = bias is not None, groups, pooled
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
            _functions(ctx.pooled)[1],
            _norm(x, weight, None, ctx.groups, 0),
            statistics.data_ptr(),
            grad_y.data_ptr(),
            address(grad_x),
            grad_weight.data_ptr(),
            grad_bias.data_ptr(),
        )
        of_weight = None if weight is None else grad_weight
        return grad_x, of_weight, grad_bias if ctx.has_bias else None, None, None, None


def _normalised(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, groups: int, eps: float, pooled: bool
) -> tuple[Tensor, Tensor]:
    """y, and of every group the mean and 1 over the deviation, (batch, groups, 2)."""
    weight, bias = whole(weight), whole(bias)
    if pooled:
        places = x[..., : x.shape[2] // 2, : x.shape[3] // 2]
        y = torch.empty_like(places, memory_format=torch.channels_last)
    else:
        y = torch.empty_like(x)
    statistics = x.new_empty(x.shape[0], groups, 2, dtype=torch.float64)
    norm = _norm(x, weight, bias, groups, eps)
    call(_functions(pooled)[0], norm, y.data_ptr(), statistics.data_ptr())
    return y, statistics


def _norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, groups: int, eps: float) -> bytes:
    batch, channels, height, width = x.shape
    sizes = (torch.get_num_threads(), batch, height, width, channels, groups)
    return _NORM.pack(*sizes, eps, x.data_ptr(), address(weight), address(bias))


@cache
def _functions(pooled: bool) -> tuple[Any, Any]:
    library = native.library()
    assert library is not None
    if pooled:
        functions = library.tinyseg_norm_pool_forward, library.tinyseg_norm_pool_backward
    else:
        functions = library.tinyseg_group_norm_forward, library.tinyseg_group_norm_backward
    forward, backward = functions
    forward.argtypes = [c_void_p] * 3
    backward.argtypes = [c_void_p] * 6
    return forward, backward
