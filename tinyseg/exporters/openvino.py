"""OpenVINO IR, by way of ONNX; run by OpenVINO on the processor."""

import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tinyseg.errors import TinysegError
from tinyseg.exporters.base import Conversion, Details, Session
from tinyseg.exporters.companions import companion
from tinyseg.exporters.onnx import OnnxExporter
from tinyseg.runs.records import Contents, ExportOptions, Precision

if TYPE_CHECKING:
    from torch import Tensor, nn

_KEY = "tinyseg"
_WEIGHTS = ".bin"
_NO_OPERATORS = ("Constant", "Parameter", "Result")
_BETWEEN_TAGS = re.compile(rb">\s+<")  # values hold no bare "<"
_HELD = {"f32": "float32", "f16": "float16", "i8": "int8", "u8": "int8"}


class OpenVINOExporter:
    """Writes an ``.xml`` graph and its weights, ``.bin``; scans are unrolled in chunks of eight.

    The chunks are faster in OpenVINO than a loop, whose body it also computes less exactly.
    """

    name: ClassVar[str] = "openvino"
    suffix: ClassVar[str] = ".xml"
    beside: ClassVar[tuple[str, ...]] = (_WEIGHTS,)
    runtime: ClassVar[str] = "openvino"
    extra: ClassVar[str | None] = "openvino"
    converts_with: ClassVar[tuple[str, ...]] = (*OnnxExporter.converts_with, "openvino")
    runs_with: ClassVar[tuple[str, ...]] = ("openvino",)
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "fp16")
    options: ClassVar[tuple[str, ...]] = ()
    caveat: ClassVar[str] = "Seen without fused operators, which hide what is within."

    def supports(self, module: "nn.Module") -> str | None:
        """Every network is tried."""
        return None

    def export(
        self, module: "nn.Module", example: "Tensor", path: Path, conversion: Conversion
    ) -> Details:
        """Reads what the ONNX exporter writes, adds the contents, and saves it.

        fp16 is that of the weights: what is computed with them stays float32.
        """
        import openvino

        with tempfile.TemporaryDirectory(prefix="tinyseg-") as folder:
            file = Path(folder, "model.onnx")
            portable = conversion._replace(options=ExportOptions(scan="portable"))
            details = OnnxExporter().export(module, example, file, portable)
            model: Any = openvino.Core().read_model(file)
            _take_means_in_two_steps(model)
            model.set_rt_info(conversion.contents.model_dump_json(), [_KEY])
            half = conversion.options.precision == "fp16"
            openvino.save_model(model, path, compress_to_fp16=half)
        path.write_bytes(_BETWEEN_TAGS.sub(b"><", path.read_bytes()))
        return Details(len(_operators(_read(path))), None, details.scan)

    def contents(self, path: Path) -> Contents:
        """Reads the entry ``tinyseg`` of the model's ``rt_info``."""
        model = _read(path)
        if not model.has_rt_info([_KEY]):
            raise TinysegError(f"{path} was not written by tinyseg.")
        return Contents.model_validate_json(model.get_rt_info([_KEY]).value)

    def holds(self, path: Path) -> dict[str, int]:
        """Of the constants; numbers that say shapes and axes are not weights."""
        held: Counter[str] = Counter()
        for constant in _read(path).get_ops():
            if constant.get_type_name() == "Constant":
                kind = _HELD.get(constant.get_element_type().get_type_name())
                if kind:
                    held[kind] += constant.get_byte_size()
        return dict(held)

    def session(self, path: Path, threads: int = 1) -> Session:
        """Float32 throughout, on as many threads as asked for; none is bound to a processor.

        Left alone, OpenVINO computes in bfloat16 where the processor can, takes one thread a
        physical core, and binds it.
        """
        request = _compiled(_read(path), threads).create_infer_request()

        def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
            return request.infer([images])[0]

        return run

    def values(self, path: Path, images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """What every operator gives, made an output."""
        model = _read(path)
        outputs = [output for op in _operators(model) for output in op.outputs()]
        inner = [output for output in outputs if not _is_result(output)]
        names = [
            f"{output.get_node().get_friendly_name()}:{output.get_index()}" for output in inner
        ]
        names = ["logits", *names]
        model.add_outputs(inner)
        values = dict(zip(names, _compiled(model, 1)([images]).to_tuple(), strict=True))
        return {name: value for name, value in values.items() if value.dtype == np.float32}


def _read(path: Path) -> Any:
    import openvino

    return openvino.Core().read_model(path, companion(path, _WEIGHTS))


def _operators(model: Any) -> list[Any]:
    return [op for op in model.get_ops() if op.get_type_name() not in _NO_OPERATORS]


def _is_result(output: Any) -> bool:
    readers = output.get_target_inputs()
    return any(reader.get_node().get_type_name() == "Result" for reader in readers)


def _take_means_in_two_steps(model: Any) -> None:
    """Means over rows, then over their means, with a reshape in between.

    OpenVINO adds tens of thousands of pixels one after another, and joins two means in a row into
    one: an error of 1e-5 there became one of 1e-3 in a trained network's probabilities.
    """
    from openvino import opset13

    for op in model.get_ops():
        if op.get_type_name() != "ReduceMean":
            continue
        rows, axes = op.input_value(0), op.input_value(1).get_node()
        sides = rows.get_partial_shape()
        if axes.get_type_name() != "Constant" or sides.is_dynamic or len(sides) != 4:
            continue
        batch, channels, height, width = rows.get_shape()
        over = sorted(int(axis) % 4 for axis in np.ravel(axes.data))
        if over == [2, 3]:
            rows = opset13.reduce_mean(rows, np.array([3]), keep_dims=True)
        elif over != [2] or width != 1:
            continue
        flat = opset13.reshape(rows, np.array([batch, channels, 1, height]), special_zero=False)
        mean = opset13.reduce_mean(flat, np.array([3]), keep_dims=True)
        shape = np.array(op.output(0).get_shape(), np.int64)
        taken = opset13.reshape(mean, shape, special_zero=False)
        for reader in op.output(0).get_target_inputs():
            reader.replace_source_output(taken.output(0))
    model.validate_nodes_and_infer_types()


def _compiled(model: Any, threads: int) -> Any:
    import openvino

    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "ENABLE_HYPER_THREADING": True,
        "ENABLE_CPU_PINNING": False,
    }
    return openvino.Core().compile_model(model, "CPU", settings)
