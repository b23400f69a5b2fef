"""PyTorch operators that become other ONNX operators here than PyTorch's exporter writes."""

from collections.abc import Callable
from typing import Any

from tinyseg.exporters import onnx_free_norms, onnx_norms
from tinyseg.exporters.onnx_softplus import softplus


def translations(*, dynamic: bool) -> dict[Any, Callable[..., Any]]:
    """Translations by operator, as ``torch.onnx.export`` takes them.

    Args:
        dynamic: whether sides are free.
    """
    import torch

    aten = torch.ops.aten
    norms = onnx_free_norms if dynamic else onnx_norms
    return {
        aten.group_norm.default: norms.group_norm,
        aten.instance_norm.default: norms.instance_norm,
        aten.softplus.default: softplus,
    }
