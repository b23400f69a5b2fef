"""TFLite, through litert-torch; run by LiteRT."""

import shutil
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from tinyseg.errors import TinysegError, UsageError
from tinyseg.exporters import tflite_file, tflm
from tinyseg.exporters.base import Conversion, Details, Runtime, Session
from tinyseg.exporters.tflite_norms import use_own_norms
from tinyseg.exporters.tflite_quantise import quantise
from tinyseg.runs.records import Arena, Contents, ExportOptions, Precision

if TYPE_CHECKING:
    from torch import Tensor, fx, nn
    from torch.export import ExportedProgram

    from tinyseg.scan import Form


class TFLiteExporter:
    """Writes one ``.tflite`` file of built-in operators; scans are unrolled in chunks of eight."""

    name: ClassVar[str] = "tflite"
    suffix: ClassVar[str] = ".tflite"
    runtime: ClassVar[str] = "litert"
    extra: ClassVar[str | None] = "tflite"
    converts_with: ClassVar[tuple[str, ...]] = ("litert_torch", "ai_edge_litert")
    runs_with: ClassVar[tuple[str, ...]] = ("ai_edge_litert",)
    precisions: ClassVar[tuple[Precision, ...]] = (
        "fp32",
        "fp16",
        "int8-weights",
        "int8-dynamic",
        "int8",
        "int8-full",
    )
    options: ClassVar[tuple[str, ...]] = ("layout", "target")
    second_runtime: ClassVar[str] = "tensorflow"
    second_runs_with: ClassVar[str] = "tensorflow"
    caveat: ClassVar[str] = "Seen without XNNPACK, which shows nothing of what it does."
    also_strict: ClassVar[bool] = False

    def supports(self, module: "nn.Module") -> str | None:
        """Every network is tried."""
        return None

    def export(
        self, module: "nn.Module", example: "Tensor", path: Path, conversion: Conversion
    ) -> Details:
        """Converts, quantises, then adds the contents to the file's metadata."""
        contents, precision = conversion.contents, conversion.options.precision
        _convert_once(module, example, path, conversion)
        model = tflite_file.read(path)
        tflite_file.shorten_names(model)
        tflite_file.name_ends(model, contents)
        if precision != "fp32":
            tflite_file.write(model, path)
            inputs = conversion.calibration
            if inputs is not None and contents.input.layout == "NHWC":
                inputs = channels_last(inputs)
            quantise(path, precision, inputs, integer_ends=conversion.options.target == "mcu")
            model = tflite_file.read(path)
        tflite_file.write_contents(model, contents)
        tflite_file.write(model, path)
        return Details(tflite_file.count_operators(model), None, _scan_form(contents))

    def contents(self, path: Path) -> Contents:
        """Reads the entry ``tinyseg`` of the file's metadata table."""
        return tflite_file.read_contents(path)

    def holds(self, path: Path) -> dict[str, int]:
        """Of the constants; numbers that say shapes and axes are not weights."""
        return tflite_file.weights_held(tflite_file.read(path))

    def scan_form(self, options: ExportOptions) -> "Form":
        """Portable operators: TFLite's converter knows no other scan."""
        return "g8"

    def unknown_operators(
        self, program: "ExportedProgram", options: ExportOptions
    ) -> "Iterator[tuple[fx.Node, str]]":
        """Those that litert-torch does not lower."""
        from tinyseg.exporters.tflite_operators import not_lowered

        return not_lowered(program)

    def session(self, path: Path, threads: int = 1) -> Session:
        """An interpreter with XNNPACK, the default; of microcontrollers for those files."""
        if self._is_for_mcu(path):
            return session_of(tflm.MicroInterpreter(path), path)
        from ai_edge_litert.interpreter import Interpreter

        return session_of(Interpreter(model_path=str(path), num_threads=threads), path)

    def check_options(self, options: ExportOptions) -> None:
        """Refuses precisions for which microcontrollers have no kernels.

        Raises:
            UsageError: it is one of them.
        """
        if options.target == "mcu" and options.precision not in tflm.PRECISIONS:
            known = " and ".join(tflm.PRECISIONS)
            raise UsageError(f"--target mcu is written in {known}, not in {options.precision}.")

    def runtime_for(self, target: str) -> Runtime:
        """TensorFlow Lite for Microcontrollers, the only target."""
        return tflm.RUNTIME

    def arena(self, path: Path) -> Arena | None:
        """As its interpreter plans it; None of files for LiteRT."""
        return tflm.plan(path) if self._is_for_mcu(path) else None

    def _is_for_mcu(self, path: Path) -> bool:
        with suppress(TinysegError):  # of a file that says nothing about itself
            return self.contents(path).target == "mcu"
        return False

    def second_session(self, path: Path, threads: int = 1) -> Session:
        """TensorFlow's own interpreter, which is older and still in many applications.

        By its own kernels: its XNNPACK refuses some files in whole numbers.
        """
        tensorflow: Any = import_module("tensorflow")
        own = tensorflow.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = tensorflow.lite.Interpreter(
            model_path=str(path), num_threads=threads, experimental_op_resolver_type=own
        )
        return session_of(interpreter, path)

    def values(self, path: Path, images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Those that operators write, by LiteRT's own kernels: XNNPACK shows nothing inside."""
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        interpreter = Interpreter(
            model_path=str(path),
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        session_of(interpreter, path)(images)
        graph = tflite_file.read(path).subgraphs[0]
        details = {each["index"]: each for each in interpreter.get_tensor_details()}
        written = [index for operator in graph.operators for index in operator.outputs]
        return {
            f"{index} {graph.tensors[index].name.decode()}": _real(
                interpreter.get_tensor(index), details[index]
            )
            for index in written
            if details[index]["dtype"] in (np.float32, np.int8)
        }


def session_of(interpreter: Any, path: Path) -> Session:
    """A session of an interpreter with the TFLite API: LiteRT's, TensorFlow's.

    Whatever the file takes and gives, a session takes and gives float32 with the channels second.
    Of a file that says nothing about itself, the input's shape tells where they are.
    """
    try:
        contents = tflite_file.read_contents(path)
    except TinysegError:
        contents = None
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        last = images.shape != tuple(source["shape"])
        if contents:
            last = contents.input.layout == "NHWC"
        interpreter.set_tensor(
            source["index"], _stored(channels_last(images) if last else images, source)
        )
        interpreter.invoke()
        found = _real(interpreter.get_tensor(target["index"]), target)
        return np.moveaxis(found, -1, 1) if last and found.ndim == 4 else found

    return run


def _scan_form(contents: Contents) -> Literal["g8", "lean"]:
    return "lean" if contents.target == "mcu" else "g8"


def _convert_once(
    module: "nn.Module", example: "Tensor", path: Path, conversion: Conversion
) -> None:
    """Every precision is made from the same float32 file, which takes longest to make."""
    contents, precision = conversion.contents, conversion.options.precision
    kept = conversion.shared and conversion.shared / f"{conversion.options.layout}.tflite"
    if contents.target or kept is None:  # a target's operators depend on the precision
        _convert(module, example, path, contents, precision)
        return
    if not kept.exists():
        _convert(module, example, kept, contents, precision)
    shutil.copyfile(kept, path)


def _convert(
    module: "nn.Module", example: "Tensor", path: Path, contents: Contents, precision: Precision
) -> None:
    import litert_torch
    import torch

    from tinyseg.exporters.tflite_mcu import MicrocontrollerOperators
    from tinyseg.scan import scan_form

    if contents.input.layout == "NHWC":
        outputs = [0] if contents.output.layout == "NHWC" else None
        module = litert_torch.to_channel_last_io(module, args=[0], outputs=outputs)
        example = example.permute(0, 2, 3, 1).contiguous()
    use_own_norms()
    operators = MicrocontrollerOperators(precision) if contents.target == "mcu" else nullcontext()
    with scan_form(_scan_form(contents)), torch.no_grad(), operators:
        litert_torch.convert(module.eval(), (example,)).export(str(path))


def channels_last(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Images (..., channels, height, width) as (..., height, width, channels)."""
    return np.ascontiguousarray(np.moveaxis(images, -3, -1))


def _stored(real: NDArray[np.float32], details: dict[str, Any]) -> NDArray[Any]:
    """Real numbers as a tensor of a file keeps them."""
    if details["dtype"] is np.float32:
        return real
    scale, zero_point = details["quantization"]
    limits = np.iinfo(details["dtype"])
    return np.clip(np.rint(real / scale) + zero_point, limits.min, limits.max).astype(
        details["dtype"]
    )


def _real(stored: NDArray[Any], details: dict[str, Any]) -> NDArray[np.float32]:
    """What a tensor of a file means."""
    scale, zero_point = details["quantization"]
    if stored.dtype == np.float32 or not scale:
        return stored
    return ((stored.astype(np.float32) - zero_point) * scale).astype(np.float32)
