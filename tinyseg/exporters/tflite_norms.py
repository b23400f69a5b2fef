"""Norms for TFLite that lose no digits and take fewer operators than litert-torch's own.

That writes ``x * s - mean * s``: two large numbers whose difference has few digits left where the
mean is large beside the deviation. Here the mean is taken off first, over rows and then over their
means, since a runtime may sum tens of thousands of pixels one after another in float32.
"""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def use_own_norms() -> None:
    """Makes litert-torch write these norms, in this process."""
    import torch
    from litert_torch.fx_infra import decomp

    aten = torch.ops.aten
    decomp.add_pre_convert_decomp(aten.group_norm.default, group_norm)
    decomp.add_pre_convert_decomp(aten.instance_norm.default, instance_norm)
    decomp.add_pre_convert_decomp(aten.layer_norm.default, layer_norm)


def group_norm(
    x: "Tensor",
    groups: int,
    weight: "Tensor | None" = None,
    bias: "Tensor | None" = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> "Tensor":
    """Stands in for ``aten.group_norm``, same arguments.

    Args:
        x: (batch, channels, ...).
        groups: of the channels.
        weight: (channels), or None.
        bias: (channels), or None.
        eps: added to the variance.
        cudnn_enabled: of no meaning here.
    """
    batch, channels, *sides = x.shape
    rows = x.reshape(batch, groups, channels // groups * math.prod(sides[:-1]), sides[-1])
    y = _normed(rows, (3, 2), eps).reshape(x.shape)
    by_channel = (-1, *(1 for _ in sides))
    return _scaled(y, weight, bias, by_channel)


def instance_norm(
    x: "Tensor",
    weight: "Tensor | None" = None,
    bias: "Tensor | None" = None,
    running_mean: "Tensor | None" = None,
    running_var: "Tensor | None" = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> "Tensor":
    """Stands in for ``aten.instance_norm``, same arguments.

    Args:
        x: (batch, channels, ...).
        weight: (channels), or None.
        bias: (channels), or None.
        running_mean: (channels); taken without ``use_input_stats``, like the variance.
        running_var: (channels).
        use_input_stats: take each channel's own mean and variance.
        momentum: of no meaning here.
        eps: added to the variance.
        cudnn_enabled: of no meaning here.
    """
    by_channel = (-1, *(1 for _ in x.shape[2:]))
    if not use_input_stats and running_mean is not None and running_var is not None:
        deviation = (running_var + eps).sqrt()
        y = (x - running_mean.view(by_channel)) / deviation.view(by_channel)
    else:
        y = _normed(x, tuple(range(x.ndim - 1, 1, -1)), eps)
    return _scaled(y, weight, bias, by_channel)


def layer_norm(
    x: "Tensor",
    shape: list[int],
    weight: "Tensor | None" = None,
    bias: "Tensor | None" = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> "Tensor":
    """Stands in for ``aten.layer_norm``, same arguments.

    Args:
        x: (..., *shape).
        shape: of what is normed together.
        weight: of that shape, or None.
        bias: of that shape, or None.
        eps: added to the variance.
        cudnn_enabled: of no meaning here.
    """
    axes = tuple(range(x.ndim - 1, x.ndim - 1 - len(shape), -1))
    return _scaled(_normed(x, axes, eps), weight, bias, tuple(shape))


def _normed(x: "Tensor", axes: tuple[int, ...], eps: float) -> "Tensor":
    """Of mean nought and deviation one, over the axes one after another."""
    centred = x - _mean(x, axes)
    return centred * (_mean(centred * centred, axes) + eps).rsqrt()


def _mean(x: "Tensor", axes: tuple[int, ...]) -> "Tensor":
    for axis in axes:
        x = x.mean(axis, keepdim=True)
    return x


def _scaled(
    y: "Tensor", weight: "Tensor | None", bias: "Tensor | None", shape: tuple[int, ...]
) -> "Tensor":
    if weight is not None:
        y = y * weight.view(shape)
    return y if bias is None else y + bias.view(shape)
