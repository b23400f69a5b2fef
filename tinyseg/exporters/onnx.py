"""ONNX, through PyTorch's exporter; run by ONNX Runtime."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from tinyseg.errors import TinysegError, UsageError
from tinyseg.exporters.base import Conversion, Details, Session
from tinyseg.exporters.onnx_free_sides import (
    free_example,
    free_shapes,
    name_free_sides,
    refusal,
    require_any_size,
    require_free,
)
from tinyseg.exporters.onnx_graphs import count_nodes, held, opset_of, strip
from tinyseg.exporters.onnx_precision import in_precision
from tinyseg.exporters.onnx_scans import drop_unread
from tinyseg.exporters.onnx_translations import translations
from tinyseg.runs.records import Contents, ExportOptions, Precision

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import Tensor, fx, nn
    from torch.export import ExportedProgram

    from tinyseg.scan import Form

_OPSET = 20
_OPSETS = range(18, 26)  # PyTorch 2.13 stamps files of any other with 18, whatever they hold
_FLOAT = ("fp32", "fp16")
_KEY = "tinyseg"


class OnnxExporter:
    """Writes one self-contained ``.onnx`` file; scans become ONNX Scan with a two-operator body."""

    name: ClassVar[str] = "onnx"
    suffix: ClassVar[str] = ".onnx"
    runtime: ClassVar[str] = "onnxruntime"
    extra: ClassVar[str | None] = None
    converts_with: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript", "onnxslim")
    runs_with: ClassVar[tuple[str, ...]] = ("onnxruntime",)
    precisions: ClassVar[tuple[Precision, ...]] = get_args(Precision)
    options: ClassVar[tuple[str, ...]] = ("scan", "opset", "dynamic")
    caveat: ClassVar[str] = ""
    also_strict: ClassVar[bool] = True

    def supports(self, module: "nn.Module") -> str | None:
        """Every network is tried."""
        return None

    def check_options(self, options: ExportOptions) -> None:
        """See `tinyseg.exporters.base.Particular`."""
        if options.opset and options.opset not in _OPSETS:
            raise UsageError(
                f"ONNX is written in opsets {_OPSETS[0]} to {_OPSETS[-1]}, not {options.opset}.",
                "Choose one of them.",
            )
        if options.scan == "portable" and options.dynamic:
            raise UsageError(
                "--scan portable is written for one length of a scan, which --dynamic leaves open.",
                "Leave out one of them.",
            )

    def scan_form(self, options: ExportOptions) -> "Form":
        """A loop of two operators, or none."""
        return "g8" if options.scan == "portable" else "hop2"

    def export(
        self, module: "nn.Module", example: "Tensor", path: Path, conversion: Conversion
    ) -> Details:
        """Exports, simplifies, strips what no runtime reads, rounds, and checks the file.

        Raises:
            UsageError: an opset that there is not.
            TinysegError: sides that cannot be left free; another opset than was asked for.
        """
        import onnx

        contents, options = conversion.contents, conversion.options
        self.check_options(options)
        form = self.scan_form(options)
        model = _exported(module, example, conversion, form)
        strip(model.graph)
        if options.dynamic:
            require_free(module, example, _running(model.SerializeToString()), contents)
        model = in_precision(model, options.precision, conversion.calibration)
        onnx.helper.set_model_props(model, {_KEY: contents.model_dump_json()})
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)
        written = onnx.load(path)
        _require_opset(written, options.opset or _OPSET)
        return Details(count_nodes(written.graph), opset_of(written), form)

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

        return held(onnx.load(path, load_external_data=False).graph)

    def unknown_operators(
        self, program: "ExportedProgram", options: ExportOptions
    ) -> "Iterator[tuple[fx.Node, str]]":
        """Those that PyTorch's exporter does not translate."""
        from tinyseg.exporters.onnx_operators import untranslated

        opset = options.opset or _OPSET
        return untranslated(program, opset, translations(dynamic=options.dynamic))

    def session(self, path: Path, threads: int = 1) -> Session:
        """A session on the CPU whose threads sleep, not spin, between inferences."""
        return _running(str(path), threads)

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


def _running(model: str | bytes, threads: int = 1) -> Session:
    session = _session(model, threads)
    name = session.get_inputs()[0].name

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(session.run(None, {name: images})[0])

    return run


def _session(model: str | bytes, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _exported(
    module: "nn.Module", example: "Tensor", conversion: Conversion, form: "Form"
) -> "ModelProto":
    """PyTorch's export, simplified, in float32."""
    import onnxslim
    import torch

    from tinyseg.exporters.time_first import time_first
    from tinyseg.scan import scan_form

    contents, options = conversion.contents, conversion.options
    if options.dynamic:
        require_any_size(contents)
    # With free sides its loops are not traced, and ONNX Runtime's quantizer looks for the weights
    # of layers as they were.
    rewritten = form == "hop2" and not options.dynamic and options.precision in _FLOAT
    try:
        with scan_form(form), torch.no_grad():
            program = torch.onnx.export(
                time_first(module) if rewritten else module,
                (free_example(example) if options.dynamic else example,),
                dynamo=True,
                opset_version=options.opset or _OPSET,
                input_names=[contents.input.name],
                output_names=[contents.output.name],
                dynamic_shapes=free_shapes() if options.dynamic else None,
                custom_translation_table=translations(dynamic=options.dynamic),
                verbose=False,
            )
    except Exception as error:
        if options.dynamic:
            raise refusal(contents, error) from None
        raise
    assert program is not None
    model = program.model_proto
    _require_opset(model, options.opset or _OPSET)
    drop_unread(model.graph)
    if options.dynamic:
        name_free_sides(model.graph)
    slim: Any = onnxslim.slim(model)
    return slim


def _require_opset(model: "ModelProto", asked: int) -> None:
    if opset_of(model) != asked:
        raise TinysegError(
            f"The file is stamped with opset {opset_of(model)}, where {asked} was asked for.",
            f"Try an opset from {_OPSETS[0]} to {_OPSETS[-1]}.",
        )
