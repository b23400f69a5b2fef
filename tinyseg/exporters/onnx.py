"""ONNX, through PyTorch's exporter; run by ONNX Runtime."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tinyseg.errors import TinysegError
from tinyseg.exporters.base import Conversion, Details, Session
from tinyseg.exporters.onnx_norms import group_norm, instance_norm
from tinyseg.runs.records import Contents, Precision

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto
    from torch import Tensor, nn

_OPSET = 20  # the newest that PyTorch 2.13 writes and ONNX Runtime runs; asked for and read back
_KEY = "tinyseg"


class OnnxExporter:
    """Writes one self-contained ``.onnx`` file; scans become ONNX Scan with a two-operator body."""

    name: ClassVar[str] = "onnx"
    suffix: ClassVar[str] = ".onnx"
    runtime: ClassVar[str] = "onnxruntime"
    extra: ClassVar[str | None] = None
    converts_with: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript", "onnxslim")
    runs_with: ClassVar[tuple[str, ...]] = ("onnxruntime",)
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32",)
    options: ClassVar[tuple[str, ...]] = ()
    caveat: ClassVar[str] = ""

    def supports(self, module: "nn.Module") -> str | None:
        """Every network is tried."""
        return None

    def export(
        self, module: "nn.Module", example: "Tensor", path: Path, conversion: Conversion
    ) -> Details:
        """Exports, simplifies, strips what no runtime reads, and checks the file."""
        import onnx
        import onnxslim
        import torch

        from tinyseg.scan import scan_form

        contents = conversion.contents

        with scan_form("hop2"), torch.no_grad():
            program = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                opset_version=_OPSET,
                input_names=[contents.input.name],
                output_names=[contents.output.name],
                custom_translation_table={
                    torch.ops.aten.group_norm.default: group_norm,
                    torch.ops.aten.instance_norm.default: instance_norm,
                },
                verbose=False,
            )
        assert program is not None
        model: Any = onnxslim.slim(program.model_proto)
        for graph in _graphs(model.graph):
            _strip(graph)
        onnx.helper.set_model_props(model, {_KEY: contents.model_dump_json()})
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)
        return Details(_count(model.graph), _opset(model), "hop2")

    def contents(self, path: Path) -> Contents:
        """Reads the file's ``metadata_props``."""
        import onnx

        model = onnx.load(path, load_external_data=False)
        for entry in model.metadata_props:
            if entry.key == _KEY:
                return Contents.model_validate_json(entry.value)
        raise TinysegError(f"{path} was not written by tinyseg.")

    def holds(self, path: Path) -> dict[str, int]:
        """Of the initializers, those inside control flow included."""
        import onnx

        model = onnx.load(path, load_external_data=False)
        held: Counter[str] = Counter()
        for graph in _graphs(model.graph):
            for tensor in graph.initializer:
                array = onnx.numpy_helper.to_array(tensor)
                held[array.dtype.name] += array.nbytes
        return dict(held)

    def session(self, path: Path, threads: int = 1) -> Session:
        """A session on the CPU whose threads sleep, not spin, between inferences."""
        session = _session(str(path), threads)
        name = session.get_inputs()[0].name

        def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.asarray(session.run(None, {name: images})[0])

        return run

    def values(self, path: Path, images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Those of the graph itself, made outputs; the insides of control flow stay unseen."""
        import onnx

        model = onnx.load(path)
        given = {output.name for output in model.graph.output}
        inner = [name for node in model.graph.node for name in node.output if name]
        model.graph.output.extend(
            onnx.ValueInfoProto(name=name) for name in inner if name not in given
        )
        session = _session(model.SerializeToString(), 1)
        names = [output.name for output in session.get_outputs()]
        found = session.run(names, {session.get_inputs()[0].name: images})
        return {
            name: value
            for name, value in zip(names, found, strict=True)
            if isinstance(value, np.ndarray) and value.dtype == np.float32
        }


def _session(model: str | bytes, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _strip(graph: "GraphProto") -> None:
    """Removes doc strings and node metadata: two thirds of the file, read by no runtime."""
    values = (*graph.input, *graph.output, *graph.value_info)
    for part in (graph, *graph.node, *graph.initializer, *values):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")


def _count(graph: "GraphProto") -> int:
    return sum(len(each.node) for each in _graphs(graph))


def _graphs(graph: "GraphProto") -> "Iterator[GraphProto]":
    """A graph and those inside its control flow."""
    yield graph
    for inner in _inner_graphs(graph):
        yield from _graphs(inner)


def _inner_graphs(graph: "GraphProto") -> "list[GraphProto]":
    return [
        attribute.g
        for node in graph.node
        for attribute in node.attribute
        if attribute.HasField("g")
    ]


def _opset(model: "ModelProto") -> int:
    return next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
