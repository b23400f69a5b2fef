"""TFLite, through litert-torch; run by LiteRT."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tinyseg.errors import TinysegError
from tinyseg.exporters.base import Conversion, Details, Session
from tinyseg.runs.records import Contents, Precision

if TYPE_CHECKING:
    from torch import Tensor, nn

_KEY = b"tinyseg"
_IDENTIFIER = b"TFL3"
_ALIGNMENT = 16  # of weights within the file, as TFLite's schema demands


class TFLiteExporter:
    """Writes one ``.tflite`` file of built-in operators; scans are unrolled in chunks of eight."""

    name: ClassVar[str] = "tflite"
    suffix: ClassVar[str] = ".tflite"
    runtime: ClassVar[str] = "litert"
    extra: ClassVar[str | None] = "tflite"
    converts_with: ClassVar[tuple[str, ...]] = ("litert_torch", "ai_edge_litert")
    runs_with: ClassVar[tuple[str, ...]] = ("ai_edge_litert",)
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32",)
    options: ClassVar[tuple[str, ...]] = ()
    caveat: ClassVar[str] = "Seen without XNNPACK, which shows nothing of what it does."

    def supports(self, module: "nn.Module") -> str | None:
        """Every network is tried."""
        return None

    def export(
        self, module: "nn.Module", example: "Tensor", path: Path, conversion: Conversion
    ) -> Details:
        """Converts, then names the tensors and adds the contents to the file's metadata."""
        import litert_torch
        import torch

        from tinyseg.scan import scan_form

        contents = conversion.contents

        with scan_form("g8"), torch.no_grad():
            litert_torch.convert(module, (example,)).export(str(path))
        model = _read(path)
        _name_tensors(model, contents)
        _add_metadata(model, contents.model_dump_json().encode())
        path.write_bytes(_pack(model))
        nodes = sum(len(graph.operators) for graph in _read(path).subgraphs)
        return Details(nodes, None, "g8")

    def contents(self, path: Path) -> Contents:
        """Reads the entry ``tinyseg`` of the file's metadata table."""
        model = _read(path)
        for entry in model.metadata or []:
            if entry.name == _KEY:
                return Contents.model_validate_json(bytes(model.buffers[entry.buffer].data))
        raise TinysegError(f"{path} was not written by tinyseg.")

    def holds(self, path: Path) -> dict[str, int]:
        """Of the constants; numbers that say shapes and axes are not weights."""
        from ai_edge_litert.schema_py_generated import TensorType

        names = {TensorType.FLOAT32: "float32", TensorType.FLOAT16: "float16"}
        names |= {TensorType.INT8: "int8", TensorType.INT4: "int4"}
        model = _read(path)
        held: Counter[str] = Counter()
        for graph in model.subgraphs:
            for tensor in graph.tensors:
                data = model.buffers[tensor.buffer].data
                if data is not None and tensor.type in names:
                    held[names[tensor.type]] += len(data)
        return dict(held)

    def session(self, path: Path, threads: int = 1) -> Session:
        """An interpreter with XNNPACK, the default."""
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(path), num_threads=threads)
        interpreter.allocate_tensors()
        source = interpreter.get_input_details()[0]["index"]
        target = interpreter.get_output_details()[0]["index"]

        def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
            interpreter.set_tensor(source, images)
            interpreter.invoke()
            return interpreter.get_tensor(target)

        return run

    def values(self, path: Path, images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Those that operators write, by LiteRT's own kernels: XNNPACK shows nothing inside."""
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        interpreter = Interpreter(
            model_path=str(path),
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
        interpreter.invoke()
        graph = _read(path).subgraphs[0]
        written = [index for operator in graph.operators for index in operator.outputs]
        found = {f"{index} {graph.tensors[index].name.decode()}": index for index in written}
        values = {name: interpreter.get_tensor(index) for name, index in found.items()}
        return {name: value for name, value in values.items() if value.dtype == np.float32}


def _read(path: Path) -> Any:
    from ai_edge_litert.tools.flatbuffer_utils import read_model

    return read_model(str(path))


def _name_tensors(model: Any, contents: Contents) -> None:
    """Gives input and output the names of the contents, in the graph and in its signature."""
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    graph.tensors[graph.inputs[0]].name = signature.inputs[0].name = contents.input.name.encode()
    graph.tensors[graph.outputs[0]].name = signature.outputs[0].name = contents.output.name.encode()


def _add_metadata(model: Any, data: bytes) -> None:
    from ai_edge_litert.schema_py_generated import BufferT, MetadataT

    entry: Any = MetadataT()
    buffer: Any = BufferT()
    entry.name, entry.buffer = _KEY, len(model.buffers)
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]


def _pack(model: Any) -> bytes:
    """The file's bytes; the library's own writer forgets to align the weights."""
    import flatbuffers

    class Builder(flatbuffers.Builder):
        def CreateNumpyVector(self, x: NDArray[Any]) -> Any:
            self.Prep(_ALIGNMENT, x.nbytes)
            return super().CreateNumpyVector(x)

    builder = Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())
