"""Softplus for ONNX as one operator."""

from typing import Any


def softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """Stands in for the exporter's translation of ``aten.softplus``, same arguments.

    That one compares and chooses beside, because PyTorch returns x itself above the threshold;
    where the two differ there, it is by less than rounding.

    Args:
        x: of any shape.
        beta: how sharply it bends.
        threshold: of no meaning here.
    """
    from onnxscript import opset20

    op: Any = opset20
    if beta == 1:
        return op.Softplus(x)
    scale = op.Constant(value_float=float(beta))
    return op.Div(op.Softplus(op.Mul(x, scale)), scale)
