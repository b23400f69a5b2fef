"""What is inside a ``.tflite`` file, read and written through LiteRT's own schema."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyseg.errors import TinysegError
from tinyseg.runs.records import Contents, Tensor

_KEY = b"tinyseg"
_IDENTIFIER = b"TFL3"
_ALIGNMENT = 16  # of weights within the file, as TFLite's schema demands


def read(path: Path) -> Any:
    """A file as the schema's ``ModelT``, whose parts may be changed.

    Raises:
        TinysegError: it is none, or not whole.
    """
    from ai_edge_litert.tools.flatbuffer_utils import read_model

    try:
        return read_model(str(path))
    except Exception as error:  # whatever it stumbles over in bytes that mean something else
        raise TinysegError(f"{path} is no TFLite file, or not whole.") from error


def write(model: Any, path: Path) -> None:
    """Writes a ``ModelT``; the library's own writer forgets to align the weights."""
    import flatbuffers

    class Builder(flatbuffers.Builder):
        def CreateNumpyVector(self, x: NDArray[Any]) -> Any:
            self.Prep(_ALIGNMENT, x.nbytes)
            return super().CreateNumpyVector(x)

    builder = Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    path.write_bytes(builder.Output())


def count_operators(model: Any) -> int:
    """Operators of all its graphs."""
    return sum(len(graph.operators) for graph in model.subgraphs)


def weights_held(model: Any) -> dict[str, int]:
    """Bytes of the constants by element type; numbers that say shapes and axes are none."""
    from ai_edge_litert.schema_py_generated import TensorType

    names = {TensorType.FLOAT32: "float32", TensorType.FLOAT16: "float16"}
    names |= {TensorType.INT8: "int8", TensorType.INT4: "int4"}
    held: Counter[str] = Counter()
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            data = model.buffers[tensor.buffer].data
            if data is not None and tensor.type in names:
                held[names[tensor.type]] += len(data)
    return dict(held)


def name_ends(model: Any, contents: Contents) -> None:
    """Gives input and output the names of the contents, in the graph and in its signature."""
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    graph.tensors[graph.inputs[0]].name = signature.inputs[0].name = contents.input.name.encode()
    graph.tensors[graph.outputs[0]].name = signature.outputs[0].name = contents.output.name.encode()


def shorten_names(model: Any) -> None:
    """Names every tensor by its number and where in the network it belongs.

    The converter names it after the classes of all modules around it, which makes a third of the
    file: ``my.Net/torch.nn.modules.container.Sequential_encoder/torch.nn...Linear_proj;3`` becomes
    ``7 encoder.proj``. Numbers keep the names apart, by which the quantiser tells tensors.
    """
    for graph in model.subgraphs:
        for number, tensor in enumerate(graph.tensors):
            tensor.name = f"{number} {_place(tensor.name.decode())}".strip().encode()


def _place(name: str) -> str:
    first = name.split(";", maxsplit=1)[0]
    modules = (part.rpartition(".")[2].partition("_")[2] for part in first.split("/"))
    return ".".join(filter(None, modules)) if "/" in first else ""


def write_contents(model: Any, contents: Contents) -> None:
    """Sets the entry ``tinyseg`` of the file's metadata table.

    The element types of input and output are told as they are in the file.
    """
    from ai_edge_litert.schema_py_generated import BufferT, MetadataT

    graph = model.subgraphs[0]
    contents = contents.model_copy(
        update={
            "input": _as_stored(contents.input, graph.tensors[graph.inputs[0]]),
            "output": _as_stored(contents.output, graph.tensors[graph.outputs[0]]),
        }
    )
    kept = [entry for entry in model.metadata or [] if entry.name != _KEY]
    entry: Any = MetadataT()
    buffer: Any = BufferT()
    entry.name, entry.buffer = _KEY, len(model.buffers)
    buffer.data = np.frombuffer(contents.model_dump_json().encode(), np.uint8)
    model.buffers.append(buffer)
    model.metadata = [*kept, entry]


def _as_stored(described: Tensor, tensor: Any) -> Tensor:
    from ai_edge_litert.schema_py_generated import TensorType

    if tensor.type != TensorType.INT8:
        return described
    (scale,), (zero_point,) = tensor.quantization.scale, tensor.quantization.zeroPoint
    update = {"dtype": "int8", "scale": float(scale), "zero_point": int(zero_point)}
    return described.model_copy(update=update)


def read_contents(path: Path) -> Contents:
    """Reads the entry ``tinyseg`` of a file's metadata table.

    Raises:
        TinysegError: it has none.
    """
    model = read(path)
    for entry in model.metadata or []:
        if entry.name == _KEY:
            return Contents.model_validate_json(bytes(model.buffers[entry.buffer].data))
    raise TinysegError(f"{path} was not written by tinyseg.")
