"""Runs the kernels of layers on tensors that begin or end where a forbidden page does.

Whoever reads or writes beyond is killed by the system.
"""

import ctypes
import mmap

import torch
from torch import Tensor

from tinyseg import native
from tinyseg.layers.causal_conv import causal_conv_silu
from tinyseg.layers.group_norm import GroupNorm
from tinyseg.layers.norm_pool import norm_max_pool

_NO_ACCESS = 0
_kept: list[mmap.mmap] = []


def walled(tensor: Tensor, at_end: bool) -> Tensor:
    """A copy whose last, or first, number has a forbidden page beside it."""
    size = tensor.numel() * 4
    room = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, room + 2 * mmap.PAGESIZE)
    _kept.append(memory)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for page in (start, start + mmap.PAGESIZE + room):
        assert libc.mprotect(page, mmap.PAGESIZE, _NO_ACCESS) == 0
    offset = mmap.PAGESIZE + (room - size if at_end else 0)
    copy = torch.frombuffer(memory, dtype=torch.float32, count=tensor.numel(), offset=offset)
    return copy.view(tensor.shape).copy_(tensor)


def pictures(batch: int, height: int, width: int, channels: int, at_end: bool) -> Tensor:
    """(batch, channels, height, width), channels innermost in memory."""
    return walled(torch.randn(batch, height, width, channels), at_end).permute(0, 3, 1, 2)


def layer_of(groups: int, channels: int, at_end: bool) -> GroupNorm:
    layer = GroupNorm(groups, channels)
    with torch.no_grad():
        layer.weight.data = walled(torch.randn(channels), at_end)
        layer.bias.data = walled(torch.randn(channels), at_end)
    return layer


def normalise(at_end: bool) -> None:
    for batch, channels, pixels, groups in (
        (1, 8, 35, 4),
        (2, 7, 9, 7),
        (1, 24, 3, 4),
        (1, 1, 3, 1),
    ):
        x = pictures(batch, pixels, 1, channels, at_end).requires_grad_()
        y = layer_of(groups, channels, at_end)(x)
        assert "_GroupNorm" in y.grad_fn.name()
        y.backward(pictures(batch, pixels, 1, channels, at_end))


def pool(at_end: bool) -> None:
    for batch, channels, height, width, groups in (
        (1, 8, 6, 4, 4),
        (2, 7, 3, 5, 7),
        (1, 24, 2, 3, 4),
        (1, 1, 3, 2, 1),
    ):
        x = pictures(batch, height, width, channels, at_end).requires_grad_()
        y = norm_max_pool(x, layer_of(groups, channels, at_end))
        assert "_GroupNorm" in y.grad_fn.name()
        y.backward(pictures(batch, height // 2, width // 2, channels, at_end))


def convolve(at_end: bool) -> None:
    for batch, length, channels, taps in (
        (2, 5, 12, 4),
        (1, 1, 1, 4),
        (2, 37, 17, 3),
        (1, 3, 5, 9),
    ):
        x = walled(torch.randn(batch, length, channels), at_end).requires_grad_()
        weight = walled(torch.randn(channels, 1, taps), at_end).requires_grad_()
        bias = walled(torch.randn(channels), at_end).requires_grad_()
        y = causal_conv_silu(x, weight, bias)
        assert "_CausalConv" in y.grad_fn.name()
        y.backward(walled(torch.randn(batch, length, channels), at_end))


library = native.library()
assert library is not None
for level in range(library.tinyseg_best_level() + 1):
    library.tinyseg_use_level(level)
    for at_end in (True, False):
        normalise(at_end)
        pool(at_end)
        convolve(at_end)
print("all done")
