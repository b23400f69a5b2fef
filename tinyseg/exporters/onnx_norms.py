"""Norms for ONNX that lose no digits in ONNX Runtime.

PyTorch's exporter writes InstanceNormalization, whose kernel in ONNX Runtime 1.32 sums tens of
thousands of pixels one after another in float32: an error of 5e-6 there became one of 1e-3 in a
trained network's logits. Here every mean is taken over rows first, then over their means.
"""

import math
from typing import Any

_FEW = 1024  # values that lose no digits when they are summed at once


def group_norm(
    x: Any,
    num_groups: int,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Any:
    """Stands in for the exporter's translation of ``aten.group_norm``, same arguments.

    Args:
        x: (batch, channels, ...), of fixed shape.
        num_groups: groups of the channels.
        weight: (channels), or None.
        bias: (channels), or None.
        eps: added to the variance.
        cudnn_enabled: of no meaning here.
    """
    from onnxscript import opset20

    op: Any = opset20
    shape = [int(side) for side in x.shape]
    batch, channels, *sides = shape
    rows_a_group = channels // num_groups * math.prod(sides[:-1])
    rows = op.Reshape(x, op.Constant(value_ints=[batch, num_groups, rows_a_group, sides[-1]]))
    few = rows_a_group * sides[-1] <= _FEW
    centred = op.Sub(rows, _mean(op, rows, few))
    y = op.Div(centred, _deviation(op, _mean(op, op.Mul(centred, centred), few), eps))
    y = op.Reshape(y, op.Constant(value_ints=shape))
    return _scaled(op, y, len(shape), weight, bias)


def instance_norm(
    x: Any,
    weight: Any = None,
    bias: Any = None,
    running_mean: Any = None,
    running_var: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Any:
    """Stands in for the exporter's translation of ``aten.instance_norm``, same arguments.

    Args:
        x: (batch, channels, ...), of fixed shape.
        weight: (channels), or None.
        bias: (channels), or None.
        running_mean: (channels); taken without ``use_input_stats``, like the variance.
        running_var: (channels).
        use_input_stats: take each channel's own mean and variance.
        momentum: of no meaning here.
        eps: added to the variance.
        cudnn_enabled: of no meaning here.
    """
    from onnxscript import opset20

    op: Any = opset20
    if use_input_stats:
        return group_norm(x, int(x.shape[1]), weight, bias, eps)
    axes = len(x.shape)
    mean, variance = (_by_channel(op, value, axes) for value in (running_mean, running_var))
    y = op.Div(op.Sub(x, mean), _deviation(op, variance, eps))
    return _scaled(op, y, axes, weight, bias)


def _mean(op: Any, rows: Any, few: bool) -> Any:
    if few:
        return op.ReduceMean(rows, op.Constant(value_ints=[2, 3]), keepdims=1)
    means = op.ReduceMean(rows, op.Constant(value_ints=[3]), keepdims=1)
    return op.ReduceMean(means, op.Constant(value_ints=[2]), keepdims=1)


def _deviation(op: Any, variance: Any, eps: float) -> Any:
    return op.Sqrt(op.Add(variance, op.Constant(value_float=eps)))


def _by_channel(op: Any, value: Any, axes: int) -> Any:
    return op.Reshape(value, op.Constant(value_ints=[-1] + [1] * (axes - 2)))


def _scaled(op: Any, y: Any, axes: int, weight: Any, bias: Any) -> Any:
    if weight is not None:
        y = op.Mul(y, _by_channel(op, weight, axes))
    if bias is not None:
        y = op.Add(y, _by_channel(op, bias, axes))
    return y
