"""The norms of `tinyseg.exporters.onnx_norms` for pictures of any size.

Shapes are read from the picture as the file runs, so there are a few more operators.
"""

from typing import Any

from tinyseg.exporters import onnx_norms


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
        x: (batch, channels, ...), of which channels alone are fixed.
        num_groups: groups of the channels.
        weight: (channels), or None.
        bias: (channels), or None.
        eps: added to the variance.
        cudnn_enabled: of no meaning here.
    """
    from onnxscript import opset20

    op: Any = opset20
    axes = len(x.shape)
    rows = op.Reshape(x, _shape(op, [0, num_groups, -1], op.Shape(x, start=axes - 1)))
    centred = op.Sub(rows, _mean(op, rows))
    variance = _mean(op, op.Mul(centred, centred))
    y = op.Div(centred, op.Sqrt(op.Add(variance, op.Constant(value_float=eps))))
    # Not Shape of all of x: onnxslim takes a Reshape to that for one that changes nothing.
    y = op.Reshape(y, _shape(op, [0, int(x.shape[1])], op.Shape(x, start=2)))
    for value, join in ((weight, op.Mul), (bias, op.Add)):
        if value is not None:
            y = join(y, op.Reshape(value, op.Constant(value_ints=[-1] + [1] * (axes - 2))))
    return y


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
        x: (batch, channels, ...), of which channels alone are fixed.
        weight: (channels), or None.
        bias: (channels), or None.
        running_mean: (channels); taken without ``use_input_stats``, like the variance.
        running_var: (channels).
        use_input_stats: take each channel's own mean and variance.
        momentum: of no meaning here.
        eps: added to the variance.
        cudnn_enabled: of no meaning here.
    """
    if use_input_stats:
        return group_norm(x, int(x.shape[1]), weight, bias, eps)
    # Without statistics of its own nothing depends on the size.
    return onnx_norms.instance_norm(
        x, weight, bias, running_mean, running_var, use_input_stats, momentum, eps
    )


def _shape(op: Any, first: list[int], last: Any) -> Any:
    return op.Concat(op.Constant(value_ints=first), last, axis=0)


def _mean(op: Any, rows: Any) -> Any:
    """Over rows first, then over their means, which loses no digits."""
    means = op.ReduceMean(rows, op.Constant(value_ints=[3]), keepdims=1)
    return op.ReduceMean(means, op.Constant(value_ints=[2]), keepdims=1)
