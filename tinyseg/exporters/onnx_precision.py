"""ONNX files in fewer bits, mostly by ONNX Runtime's own quantizer."""

import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyseg.errors import TinysegError
from tinyseg.exporters.onnx_graphs import name_apart, names_in, shorten
from tinyseg.exporters.onnx_weights import weighted, with_int8_weights
from tinyseg.runs.records import Precision

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

_CONTROL_FLOW = ("Scan", "Loop", "If")
#: Of variances: in 8 bits that of a picture of little contrast is 0, and the norm bursts.
_STATISTICS = (
    "ReduceMean",
    "ReduceSum",
    "ReduceSumSquare",
    "Sub",
    "Div",
    "Sqrt",
    "Reciprocal",
    "Pow",
)


def in_precision(
    model: "ModelProto", precision: Precision, calibration: NDArray[np.float32] | None
) -> "ModelProto":
    """A model in another precision; its input and output stay float32.

    ``fp16`` computes in float16 all that ONNX Runtime's converter takes. ``int8-weights`` computes
    in float32. ``int8-dynamic`` takes the ranges of what goes into convolutions and products anew
    for each picture; ``int8`` has them from the calibration. ``int8-full`` has every operator in 8
    bits but control flow and the statistics of norms.

    Args:
        model: in float32; may be changed.
        precision: the one wanted.
        calibration: network inputs, for ``int8`` and ``int8-full``.
    """
    if precision == "fp32":
        return model
    if precision == "fp16":
        return _halved(model)
    if precision == "int8-weights":
        with_int8_weights(model)
        return model
    known = names_in(model.graph)
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{number}"  # the quantizer finds nodes by name
    quantised = _quantised(model, precision, calibration)
    shorten(quantised.graph, known)
    return quantised


def _halved(model: "ModelProto") -> "ModelProto":
    from onnxruntime.quantization.onnx_model import ONNXModel
    from onnxruntime.transformers.float16 import convert_float_to_float16

    name_apart(model.graph)
    halved = ONNXModel(convert_float_to_float16(model, keep_io_types=True))
    halved.topological_sort()  # the converter puts the cast of the input last
    return halved.model


def _quantised(
    model: "ModelProto", precision: Precision, calibration: NDArray[np.float32] | None
) -> "ModelProto":
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static

    graph, eight = model.graph, QuantType.QInt8
    nodes = weighted(graph)
    kinds = sorted({node.op_type for node in nodes.values()})
    with tempfile.TemporaryDirectory(prefix="tinyseg-") as folder:
        path = Path(folder, "quantised.onnx")
        if precision == "int8-dynamic":
            quantize_dynamic(model, path, kinds, weight_type=eight, nodes_to_quantize=list(nodes))
            return onnx.load(path)
        options: dict[str, Any] = {}
        if precision == "int8":
            taken: Collection[str] = nodes
            # What products give stays float32: ONNX Runtime's integer kernels give that at once.
            options["OpTypesToExcludeOutputQuantization"] = ["MatMul", "Gemm"]
        else:
            taken = _nearly_all(graph)
            kinds = sorted({node.op_type for node in graph.node if node.name in taken})
        quantize_static(
            model,
            path,
            _reader(graph.input[0].name, calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=kinds,
            nodes_to_quantize=list(taken),
            per_channel=True,
            # On x86 ONNX Runtime makes these of int8 ones, not always well.
            activation_type=QuantType.QUInt8,
            weight_type=eight,
            extra_options=options,
        )
        return onnx.load(path)


def _nearly_all(graph: "GraphProto") -> set[str]:
    """Names of the nodes that 8 bits do not ruin."""
    under_root = {name for node in graph.node if node.op_type == "Sqrt" for name in node.input}
    return {
        node.name
        for node in graph.node
        if node.op_type not in (*_CONTROL_FLOW, *_STATISTICS)
        and under_root.isdisjoint(node.output)
        and not (node.op_type == "Mul" and node.input[0] == node.input[1])
    }


def _reader(name: str, calibration: NDArray[np.float32] | None) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    if calibration is None:
        raise TinysegError("Ranges of activations are taken from pictures, and there are none.")

    class Reader(CalibrationDataReader):
        def __init__(self, pictures: NDArray[np.float32]) -> None:
            self._left = iter(pictures)

        def get_next(self) -> Any:
            """The next input, or None."""
            picture = next(self._left, None)
            return None if picture is None else {name: picture[None]}

    return Reader(calibration)
