"""ExecuTorch with XNNPACK; run by ExecuTorch."""

# ExecuTorch and LiteRT cannot share an environment.
# pyright: reportMissingImports=false

import json
import logging
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tinyseg.errors import TinysegError
from tinyseg.exporters.base import Conversion, Details, Session
from tinyseg.runs.records import Contents, Precision

if TYPE_CHECKING:
    from torch import Tensor, nn

_KEY = "tinyseg"
_FORWARD = "forward"
_FORM = "g8"
_HELD = {
    "xnn_datatype_fp32": "float32",
    "xnn_datatype_fp16": "float16",
    "xnn_datatype_qint8": "int8",
    "xnn_datatype_qcint8": "int8",
    "FLOAT": "float32",
    "HALF": "float16",
    "CHAR": "int8",
}


class ExecuTorchExporter:
    """Writes one ``.pte`` file; what XNNPACK knows goes to it, the rest to portable kernels.

    What a file says about itself is a constant method, ``tinyseg``, beside ``forward``.
    """

    name: ClassVar[str] = "executorch"
    suffix: ClassVar[str] = ".pte"
    runtime: ClassVar[str] = "executorch"
    extra: ClassVar[str | None] = "executorch"
    converts_with: ClassVar[tuple[str, ...]] = ("executorch",)
    runs_with: ClassVar[tuple[str, ...]] = ("executorch",)
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32",)
    options: ClassVar[tuple[str, ...]] = ()

    def supports(self, module: "nn.Module") -> str | None:
        """Every network is tried."""
        return None

    def export(
        self, module: "nn.Module", example: "Tensor", path: Path, conversion: Conversion
    ) -> Details:
        """Exports, gives XNNPACK what it knows, and plans the memory of the rest."""
        import torch
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        from tinyseg.scan import scan_form

        with scan_form(_FORM), torch.no_grad():
            program = torch.export.export(module, (example,))
        lowered: Any = to_edge_transform_and_lower(
            program,
            partitioner=[XnnpackPartitioner()],
            constant_methods={_KEY: conversion.contents.model_dump_json()},
        )
        path.write_bytes(lowered.to_executorch().buffer)
        return Details(_count(path), None, _FORM)

    def contents(self, path: Path) -> Contents:
        """Calls the file's method ``tinyseg``."""
        program = _program(path)
        if _KEY not in program.method_names:
            raise TinysegError(f"{path} was not written by tinyseg.")
        return Contents.model_validate_json(program.load_method(_KEY).execute([])[0])

    def holds(self, path: Path) -> dict[str, int]:
        """Of the constants that portable kernels read, and of those within XNNPACK's graphs."""
        file, forward = _read(path)
        from executorch.exir.schema import Tensor as Constant

        held: Counter[str] = Counter()
        for value in forward.values:
            tensor = value.val
            if isinstance(tensor, Constant) and tensor.data_buffer_idx > 0:
                data = file.program.constant_buffer[tensor.data_buffer_idx].storage
                held[tensor.scalar_type.name] += len(data)
        counted: set[str] = set()
        for graph in _graphs(file, forward):
            for value in graph["xvalues"]:
                tensor = value["xvalue_union"]
                tensor = tensor.get("tensor_value", tensor)
                constant = graph["constant_data"][tensor["constant_buffer_idx"]]
                if constant["named_key"] not in counted:
                    held[tensor["datatype"]] += constant["size"]
                    counted |= {constant["named_key"]} - {""}
        return _by_type(held)

    def session(self, path: Path, threads: int = 1) -> Session:
        """The file's method ``forward``, on as many threads."""
        import torch
        from executorch.extension.pybindings import portable_lib

        portable_lib._unsafe_reset_threadpool(threads)
        forward = _program(path).load_method(_FORWARD)

        def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
            return forward.execute([torch.from_numpy(images)])[0].numpy()

        return run


@contextmanager
def _without_warnings() -> Iterator[None]:
    """torchao, which comes along, tells at import of what it cannot load and is not needed."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _program(path: Path) -> Any:
    from executorch.runtime import Runtime

    return Runtime.get().load_program(path)


def _read(path: Path) -> tuple[Any, Any]:
    """A file, and the plan of its method ``forward``."""
    with _without_warnings():
        from executorch.exir._serialize import _deserialize_pte_binary

    file: Any = _deserialize_pte_binary(path.read_bytes())
    plans = file.program.execution_plan
    return file, next(plan for plan in plans if plan.name == _FORWARD)


def _count(path: Path) -> int:
    """Operators: what portable kernels do, and what XNNPACK's graphs are made of."""
    file, forward = _read(path)
    from executorch.exir.schema import KernelCall

    kernels = sum(
        isinstance(instruction.instr_args, KernelCall)
        for chain in forward.chains
        for instruction in chain.instructions
    )
    return kernels + sum(len(graph["xnodes"]) for graph in _graphs(file, forward))


def _graphs(file: Any, forward: Any) -> Iterator[dict[str, Any]]:
    """XNNPACK's graphs, by the schema that comes with it."""
    from executorch.backends.xnnpack.serialization import xnnpack_graph_serialize as xnnpack
    from executorch.exir._serialize import _flatbuffer

    with tempfile.TemporaryDirectory(prefix="tinyseg-") as folder:
        schema, binary = Path(folder, "schema.fbs"), Path(folder, "graph.bin")
        schema.write_bytes(xnnpack._get_schema_bytes())
        for delegate in forward.delegates:
            data = bytes(file.program.backend_delegate_data[delegate.processed.index].data)
            header = xnnpack.XNNHeader.from_bytes(data[: xnnpack.XNNHeader.EXPECTED_LENGTH])
            first = header.flatbuffer_offset
            binary.write_bytes(data[first : first + header.flatbuffer_size])
            _flatbuffer._flatc_decompile(folder, str(schema), str(binary), ["--raw-binary"])
            # The bound of a ReLU is written as inf, which JSON has not.
            text = Path(folder, "graph.json").read_text(encoding="utf-8")
            yield json.loads(re.sub(r"(?<=: )(-?)inf\b", r"\1Infinity", text))


def _by_type(held: Counter[str]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for kind, count in held.items():
        if kind in _HELD:
            found[_HELD[kind]] += count
    return dict(found)
