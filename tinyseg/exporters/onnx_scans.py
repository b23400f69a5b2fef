"""Scan in ONNX: outputs that nobody reads."""

from collections.abc import Sequence
from typing import Any

from tinyseg.exporters.onnx_graphs import graphs


def drop_unread(graph: Any) -> None:
    """Takes from every Scan of a graph the outputs that nothing reads, and so their memory.

    PyTorch's operator has to give something at each step; ONNX's may give its last state alone.

    Args:
        graph: an ``onnx.GraphProto``, changed in place.
    """
    read = {name for each in graphs(graph) for node in each.node for name in node.input}
    read |= {output.name for output in graph.output}
    for node in graph.node:
        if node.op_type == "Scan":
            _drop(node, [name in read for name in node.output])


def _drop(node: Any, wanted: Sequence[bool]) -> None:
    attributes = {attribute.name: attribute for attribute in node.attribute}
    states = len(node.input) - attributes["num_scan_inputs"].i
    kept = [n for n, is_wanted in enumerate(wanted) if n < states or is_wanted]
    body = attributes["body"].g
    for values in (node.output, body.output):
        left = [values[n] for n in kept]
        del values[:]
        values.extend(left)
    for name in ("scan_output_axes", "scan_output_directions"):
        if name in attributes:
            ints = attributes[name].ints
            ints[:] = [ints[n - states] for n in kept if n >= states]
            if not ints:
                node.attribute.remove(attributes[name])
