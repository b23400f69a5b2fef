"""What an ONNX graph is made of, that inside control flow included."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

#: Inputs from this one on say how integers are meant; before it they may be weights.
_FIRST_OF_MEANING = {
    "QuantizeLinear": 1,
    "DequantizeLinear": 1,
    "MatMulInteger": 2,
    "ConvInteger": 2,
}
_INDEX_TYPES = ("int64", "bool")  # of shapes, axes and positions


def graphs(graph: "GraphProto") -> "Iterator[GraphProto]":
    """A graph and those inside its control flow."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs(attribute.g)


def count_nodes(graph: "GraphProto") -> int:
    """Nodes, those inside control flow included."""
    return sum(len(each.node) for each in graphs(graph))


def opset_of(model: "ModelProto") -> int:
    """Version of ONNX's own operators that a model is stamped with."""
    return next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def strip(graph: "GraphProto") -> None:
    """Removes doc strings and node metadata: two thirds of the file, read by no runtime."""
    for each in graphs(graph):
        values = (*each.input, *each.output, *each.value_info)
        for part in (each, *each.node, *each.initializer, *values):
            part.ClearField("doc_string")
            part.ClearField("metadata_props")


def held(graph: "GraphProto") -> dict[str, int]:
    """Bytes of weights by element type: no shapes, no scales and zero points of integers."""
    from onnx.numpy_helper import to_array

    kinds: Counter[str] = Counter()
    for each in graphs(graph):
        meanings = {
            name
            for node in each.node
            for name in list(node.input)[_FIRST_OF_MEANING.get(node.op_type, len(node.input)) :]
        }
        for tensor in each.initializer:
            array = to_array(tensor)
            if tensor.name not in meanings and array.dtype.name not in _INDEX_TYPES:
                kinds[array.dtype.name] += array.nbytes
    return dict(kinds)


def shorten(graph: "GraphProto", known: set[str]) -> None:
    """Gives short names to whatever is not known; a quantizer's are a third of its file."""
    kept = known | {value.name for value in (*graph.input, *graph.output)}
    short: dict[str, str] = {}

    def renamed(name: str) -> str:
        return name if not name or name in kept else short.setdefault(name, f"q{len(short)}")

    for tensor in graph.initializer:
        tensor.name = renamed(tensor.name)
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [renamed(name) for name in names]
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            node.ClearField("name")


def names_in(graph: "GraphProto") -> set[str]:
    """Names of all values and weights."""
    return {
        name
        for each in graphs(graph)
        for name in (
            *(tensor.name for tensor in each.initializer),
            *(name for node in each.node for name in (*node.input, *node.output)),
        )
    }


def name_apart(graph: "GraphProto") -> None:
    """Gives weights inside control flow names that no other graph has; some tools need that."""
    for number, each in enumerate(graphs(graph)):
        if each is not graph:
            _rename(each, {w.name: f"{w.name}@{number}" for w in each.initializer})


def _rename(graph: "GraphProto", names: dict[str, str]) -> None:
    for tensor in graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    for value in graph.output:
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                own = {weight.name for weight in attribute.g.initializer}
                _rename(attribute.g, {a: b for a, b in names.items() if a not in own})
