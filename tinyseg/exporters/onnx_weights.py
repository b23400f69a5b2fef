"""Weights of 8 bits in an ONNX file whose arithmetic stays in float32."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

_LARGEST = 127
_OVERHEAD = 150  # bytes of the operator and of two names; smaller weights would only grow


def with_int8_weights(model: "ModelProto") -> None:
    """Stores weights of convolutions and products as int8, one scale a channel that comes out.

    Each goes through a DequantizeLinear where it is used. Those that would not get smaller stay.

    Args:
        model: in float32, changed in place.
    """
    from onnx.helper import make_node
    from onnx.numpy_helper import from_array, to_array

    graph = model.graph
    axes = _channel_axes(graph)
    nodes: list[NodeProto] = []
    for tensor in graph.initializer:
        name = tensor.name
        if name not in axes:
            continue
        weight = to_array(tensor)
        values, scales = _rounded(weight, axes[name])
        if weight.nbytes - values.nbytes - scales.nbytes <= _OVERHEAD:
            continue
        integers, scale = f"{name}.int8", f"{name}.scale"
        tensor.CopyFrom(from_array(values, integers))
        graph.initializer.append(from_array(scales, scale))
        nodes.append(make_node("DequantizeLinear", [integers, scale], [name], axis=axes[name]))
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])


def weighted(graph: "GraphProto") -> "dict[str, NodeProto]":
    """Convolutions, and products with weights, by name: no products of two activations."""
    constants = {tensor.name for tensor in graph.initializer}
    kinds = ("Conv", "ConvTranspose", "Gemm", "MatMul")
    return {
        node.name: node
        for node in graph.node
        if node.op_type in kinds and not constants.isdisjoint(node.input[:2])
    }


def _channel_axes(graph: "GraphProto") -> dict[str, int]:
    """The axis of what comes out, by name of a weight that is used in one way alone."""
    used: dict[str, set[int | None]] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            used.setdefault(name, set()).add(_channel_axis(graph, node, place))
    found = ((name, *ways) for name, ways in used.items() if len(ways) == 1)
    return {name: axis for name, axis in found if axis is not None}


def _channel_axis(graph: "GraphProto", node: "NodeProto", place: int) -> int | None:
    """None where an input is no weight of such an operator."""
    attributes: dict[str, Any] = {each.name: each for each in node.attribute}
    if place != 1 or not node.input[1]:
        return None
    match node.op_type:
        case "Conv":
            return 0
        case "ConvTranspose":
            return 1
        case "Gemm":
            turned = "transB" in attributes and attributes["transB"].i
            return 0 if turned else 1
        case "MatMul":
            axes = next((len(t.dims) for t in graph.initializer if t.name == node.input[1]), 0)
            return axes - 1 if axes > 1 else None
        case _:
            return None


def _rounded(
    weight: NDArray[np.float32], axis: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Integers from -127 to 127, and the scale of each channel."""
    others = tuple(each for each in range(weight.ndim) if each != axis)
    scales = np.abs(weight).max(axis=others, keepdims=True) / _LARGEST
    scales[scales == 0] = 1
    return np.rint(weight / scales).astype(np.int8), scales.ravel().astype(np.float32)
