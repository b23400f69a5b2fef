"""The short causal convolution of a Mamba layer, with the SiLU that follows it."""

import struct
from ctypes import c_void_p
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from tinyseg import native
from tinyseg.layers.native_kernels import is_recorded, may_use_native
from tinyseg.native.calling import address, call, rows, whole
from tinyseg.scan.backend import wants_gradient
from tinyseg.scan.mamba_ssm import causal_conv1d_silu, causal_conv1d_unavailable

_CONV = struct.Struct("@10q")  # tinyseg_causal_conv of causal_conv.h
_ROWS = struct.Struct("@3q")  # tinyseg_rows of causal_conv.h
_CUDA_TAPS = range(2, 5)  # that causal-conv1d has


def causal_conv_silu(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """SiLU of a convolution along time in which no step sees a later one.

    Each channel has a kernel of its own. A native kernel computes float32 on the processor, that of
    causal-conv1d on a CUDA device where it is installed; both only while nobody records operations.

    Args:
        x: (batch, length, channels); channels without gaps are read without a copy.
        weight: (channels, 1, taps), as `torch.nn.Conv1d` has it; the last tap is for the present.
        bias: (channels).

    Returns:
        (batch, length, channels).
    """
    if _suits_native(x, weight, bias):
        if wants_gradient(x, weight, bias):
            return _CausalConv.apply(x, weight, bias)  # pyright: ignore[reportReturnType]
        return _convolved(rows(x), weight, bias)
    if x.is_cuda and _suits_cuda(weight):
        return causal_conv1d_silu(x, weight.squeeze(1), bias)
    channels, _, taps = weight.shape
    y = F.conv1d(x.transpose(1, 2), weight, bias, padding=taps - 1, groups=channels)
    return F.silu(y[..., : x.shape[1]].transpose(1, 2))


def _suits_native(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    return (
        may_use_native(x, weight, bias)
        and not torch.is_autocast_enabled("cpu")  # which would have the convolution in half types
        and x.numel() > 0
        and weight.shape[:2] == (x.shape[2], 1)
        and (bias is None or bias.shape == (x.shape[2],))
    )


def _suits_cuda(weight: Tensor) -> bool:
    suits = weight.shape[2] in _CUDA_TAPS and not is_recorded()
    return suits and _causal_conv1d_unavailable() is None


_causal_conv1d_unavailable = cache(causal_conv1d_unavailable)


class _CausalConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x = rows(x)
        ctx.save_for_backward(x, weight, bias)
        return _convolved(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, grad_y: Tensor
    ) -> tuple[Tensor | None, ...]:
        x, weight, bias = ctx.saved_tensors
        weight, bias, grad_y = weight.contiguous(), whole(bias), rows(grad_y)
        grad_x, grad_weight = x.new_empty(x.shape), weight.new_empty(weight.shape)
        grad_bias = x.new_empty(x.shape[2])
        call(
            _functions()[1],
            _conv(x, weight, bias),
            _ROWS.pack(grad_y.data_ptr(), *grad_y.stride()[:2]),
            grad_x.data_ptr(),
            grad_weight.data_ptr(),
            grad_bias.data_ptr(),
        )
        return grad_x, grad_weight, None if bias is None else grad_bias


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    weight, bias = weight.contiguous(), whole(bias)
    y = x.new_empty(x.shape)
    call(_functions()[0], _conv(x, weight, bias), y.data_ptr())
    return y


def _conv(x: Tensor, weight: Tensor, bias: Tensor | None) -> bytes:
    sizes = (torch.get_num_threads(), *x.shape, weight.shape[2])
    pointers = (x.data_ptr(), *x.stride()[:2], weight.data_ptr(), address(bias))
    return _CONV.pack(*sizes, *pointers)


@cache
def _functions() -> tuple[Any, Any]:
    library = native.library()
    assert library is not None
    forward, backward = library.tinyseg_causal_conv_forward, library.tinyseg_causal_conv_backward
    forward.argtypes = [c_void_p] * 2
    backward.argtypes = [c_void_p] * 5
    return forward, backward
