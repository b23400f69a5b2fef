"""ONNX files in fewer bits: what they hold, what stays float, and what is left of the signal."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx.numpy_helper import to_array

from tests.command import tinyseg
from tests.exporters.onnx_files import SHAPE, contents, logits_of, pictures, small, write
from tinyseg.errors import TinysegError
from tinyseg.exporters import onnx as onnx_exporter
from tinyseg.exporters.base import Conversion
from tinyseg.exporters.onnx import OnnxExporter
from tinyseg.exporters.onnx_graphs import graphs, held, names_in, strip
from tinyseg.exporters.onnx_precision import in_precision
from tinyseg.exporters.onnx_weights import with_int8_weights
from tinyseg.exporters.parity import GATES, signal_to_noise
from tinyseg.runs.records import ExportDocument, ExportOptions, Manifest

FEWER_BITS = ("fp16", "int8-weights", "int8-dynamic", "int8", "int8-full")
CALIBRATED = ("int8", "int8-full")
ROUNDS = ("QuantizeLinear", "DequantizeLinear")


@pytest.fixture(scope="module")
def float32(tmp_path_factory) -> Path:
    """What the exporter rounds to 8 bits."""
    path = tmp_path_factory.mktemp("float") / "x.onnx"
    asked = Conversion(contents(), ExportOptions(precision="int8"))
    model = onnx_exporter._exported(small(), torch.rand(SHAPE), asked, "hop2")
    strip(model.graph)
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def rounded(float32, tmp_path_factory) -> dict[str, onnx.ModelProto]:
    """The same network in every precision."""
    half, given = tmp_path_factory.mktemp("half") / "x.onnx", pictures(8)
    write(small(), half, precision="fp16")
    return {
        "fp16": onnx.load(half),
        "int8-weights": in_precision(onnx.load(float32), "int8-weights", None),
        "int8-dynamic": in_precision(onnx.load(float32), "int8-dynamic", None),
        **{name: in_precision(onnx.load(float32), name, given) for name in CALIBRATED},
    }


def signal(model: onnx.ModelProto, folder: Path, seed: int = 1) -> float:
    onnx.save(model, folder / "x.onnx")
    run, images = OnnxExporter().session(folder / "x.onnx"), pictures(8, seed=seed)
    found = np.concatenate([run(image[None]) for image in images])
    return signal_to_noise(logits_of(small(), images), found)


def produced(graph: onnx.GraphProto) -> dict[str, str]:
    """What kind of operator gives a value."""
    return {name: node.op_type for node in graph.node for name in node.output}


@pytest.mark.parametrize("precision", FEWER_BITS)
def test_the_signal_stays_above_the_noise(rounded, tmp_path, precision):
    least = GATES[precision].least_snr_db
    assert least is not None
    assert least < signal(rounded[precision], tmp_path) < 90


@pytest.mark.parametrize("precision", FEWER_BITS)
def test_weights_are_in_fewer_bits_and_take_less_room(rounded, float32, precision):
    kind = "float16" if precision == "fp16" else "int8"
    whole, kept = held(onnx.load(float32).graph), held(rounded[precision].graph)
    assert set(whole) == {"float32"}
    assert kept[kind] > 0.7 * whole["float32"] * (1 / 2 if precision == "fp16" else 1 / 4) * 0.7
    assert sum(kept.values()) < 0.75 * whole["float32"]


@pytest.mark.parametrize("precision", FEWER_BITS)
def test_input_and_output_stay_as_they_were(rounded, float32, precision):
    before, after = onnx.load(float32).graph, rounded[precision].graph
    onnx.checker.check_model(rounded[precision], full_check=True)
    assert list(after.input) == list(before.input)
    assert list(after.output) == list(before.output)


def test_int8_rounds_around_convolutions_and_products_with_weights_alone(rounded):
    graph = rounded["int8"].graph
    gives = produced(graph)
    rounding = {name for name, kind in gives.items() if kind == "DequantizeLinear"}
    readers = [node for node in graph.node if rounding.intersection(node.input)]
    weights = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
    assert {"Conv", "MatMul"} <= {node.op_type for node in readers if node.op_type in weights}
    constants = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" or node.op_type not in weights:
            continue
        inputs = [gives.get(name) for name in node.input[:2]]
        of_states = node.op_type == "MatMul" and constants.isdisjoint(node.input)
        assert inputs == ["DequantizeLinear"] * 2 or of_states
    (scan,) = (node for node in graph.node if node.op_type == "Scan")
    assert "DequantizeLinear" not in {gives.get(name) for name in scan.input}


def test_int8_full_rounds_all_but_loops_and_the_statistics_of_norms(rounded):
    graph = rounded["int8-full"].graph
    gives = produced(graph)
    readers = {
        node.op_type
        for node in graph.node
        if any(gives.get(name) == "DequantizeLinear" for name in node.input)
    }
    assert {"Conv", "MatMul", "Gelu", "Exp", "Softplus", "MaxPool", "Add", "Mul"} <= readers
    roots = {name for node in graph.node if node.op_type == "Sqrt" for name in node.input}
    assert roots
    assert all(gives[name] == "Add" for name in roots)


def test_int8_dynamic_multiplies_integers(rounded):
    kinds = {node.op_type for node in rounded["int8-dynamic"].graph.node}
    assert {"ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"} <= kinds


def test_the_ranges_are_those_of_the_calibration(rounded, float32, tmp_path):
    """Ranges of pictures a tenth as bright cut off what is brighter."""
    dark = in_precision(onnx.load(float32), "int8", pictures(8) / 10)
    assert signal(dark, tmp_path) < signal(rounded["int8"], tmp_path) - 6


def test_without_pictures_there_are_no_ranges(float32):
    with pytest.raises(TinysegError, match="Ranges of activations are taken from pictures"):
        in_precision(onnx.load(float32), "int8", None)


def test_a_weight_is_off_by_half_a_step_of_its_channel_at_most(float32):
    before, after = onnx.load(float32), onnx.load(float32)
    with_int8_weights(after)
    tensors = {tensor.name: to_array(tensor) for tensor in after.graph.initializer}
    floats = {tensor.name: to_array(tensor) for tensor in before.graph.initializer}
    nodes = [node for node in after.graph.node if node.op_type == "DequantizeLinear"]
    assert nodes
    for node in nodes:
        integers, scales = (tensors[name] for name in node.input)
        axis = node.attribute[0].i
        shape = [-1 if each == axis else 1 for each in range(integers.ndim)]
        scales, weight = scales.reshape(shape), floats[node.output[0]]
        assert (np.abs(integers * scales - weight) <= 0.501 * scales).all()
        others = tuple(each for each in range(integers.ndim) if each != axis)
        assert (np.abs(integers).max(axis=others) == 127).all()


def test_names_of_the_quantizer_are_short_and_all_others_stay(rounded, float32):
    before = names_in(onnx.load(float32).graph)
    after = names_in(rounded["int8-full"].graph)
    assert all(len(name) <= 5 for name in after - before)
    assert len(after & before) > 0.5 * len(before)


def test_free_sides_and_another_opset_are_rounded_too(tmp_path):
    path = tmp_path / "x.onnx"
    details = write(
        small(), path, dynamic=True, opset=23, precision="int8", calibration=pictures(4)
    )
    assert details.opset == 23
    assert details.nodes == sum(len(each.node) for each in graphs(onnx.load(path).graph))
    assert OnnxExporter().contents(path) == contents()
    images = pictures(2, side=37)
    found = OnnxExporter().session(path)(images)
    assert signal_to_noise(logits_of(small(), images), found) > 20


def test_the_command_proves_each_file_and_keeps_what_it_was_calibrated_with(runs):
    run = runs / "unet-drawn-1"
    asked = ("fp16", "int8-weights", "int8")
    done = tinyseg("export", run, "--format", "onnx", "--precision", ",".join(asked), "--json")
    assert done.returncode == 0, done.stderr
    records = ExportDocument.model_validate_json(done.stdout).artifacts
    assert [record.precision for record in records] == list(asked)
    for record in records:
        path = Path(record.path)
        manifest = Manifest.model_validate_json(Path(f"{path}.json").read_bytes())
        assert path.name == f"unet-drawn-1-{record.precision}.onnx"
        assert manifest.holds == OnnxExporter().holds(path)
        assert record.parity is not None
        assert record.parity.passed
        assert record.accuracy is not None
        assert abs(record.accuracy.difference) < 0.02
        assert (manifest.calibration is None) == (record.precision != "int8")
    assert manifest.calibration is not None
    assert manifest.calibration.source.endswith(", train")


def test_weights_inside_control_flow_may_share_their_names():
    model = onnx.parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 20]>
        chosen (float[1] x) => (float[1] y) <float[1] w = {1.0}> {
            big = Greater(x, w)
            none = Constant<value = bool {0}>()
            some = Or(big, none)
            one = Squeeze(some)
            y = If(one) <
                then_branch = then () => (float[1] z) <float[1] w = {4.0}> { z = Add(x, w) },
                else_branch = other () => (float[1] z) <float[1] w = {8.0}> { z = Add(x, w) }
            >
        }
    """)
    given = [np.array([each], np.float32) for each in (0.5, 2.0)]
    assert [_run(model, each) for each in given] == [8.5, 6.0]
    halved = in_precision(model, "fp16", None)
    assert [_run(halved, each) for each in given] == [8.5, 6.0]
    assert held(halved.graph) == {"float16": 6}


def _run(model: onnx.ModelProto, x: np.ndarray) -> float:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return float(session.run(None, {"x": x})[0][0])
