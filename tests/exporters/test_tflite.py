"""What the TFLite exporter writes: precisions, layouts and names, in LiteRT itself."""

from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from tests.exporters.small import SIDE, conversion
from tinyseg.exporters import export, resolve, tflite_file
from tinyseg.exporters.base import Conversion
from tinyseg.exporters.manifest import contents_of
from tinyseg.exporters.runtime import runtime_predictor
from tinyseg.exporters.tflite import TFLiteExporter
from tinyseg.profiles import profile
from tinyseg.runs.records import ArtifactRecord, ExportOptions, Precision

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
NHWC = ExportOptions(layout="nhwc")
Files = dict[str, ArtifactRecord]


def small(**more):
    return resolve("unet", size=32, arguments={"base_channels": 4, "depth": 2}, **more)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Files:
    """A small U-Net in every precision."""
    records = export(
        small(), ["tflite"], precisions=PRECISIONS, calibration_images=4,
        out=tmp_path_factory.mktemp("precisions"),
    )  # fmt: skip
    return {record.precision: record for record in records}


@pytest.fixture(scope="module")
def channels_last(tmp_path_factory) -> Files:
    """The same with the channels last."""
    records = export(
        small(), ["tflite"], precisions=("fp32", "int8"), options=NHWC, calibration_images=4,
        out=tmp_path_factory.mktemp("nhwc"),
    )  # fmt: skip
    return {record.precision: record for record in records}


def operators(path: str) -> list[tuple[str, list[int], list[int]]]:
    """Of every operator its name and the element types of what it takes and gives."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    names = {number: name for name, number in vars(BuiltinOperator).items()}
    model = tflite_file.read(Path(path))
    (graph,) = model.subgraphs
    return [
        (
            names[model.operatorCodes[each.opcodeIndex].builtinCode],
            [graph.tensors[index].type for index in each.inputs if index >= 0],
            [graph.tensors[index].type for index in each.outputs],
        )
        for each in graph.operators
    ]


def of_ends(path: str) -> tuple[type, type]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path)
    return (
        interpreter.get_input_details()[0]["dtype"],
        interpreter.get_output_details()[0]["dtype"],
    )


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_passes_and_still_says_what_it_is(files, precision):
    record, contents = files[precision], TFLiteExporter().contents(Path(files[precision].path))
    assert record.passed
    assert contents == contents_of(small(), ExportOptions())
    assert of_ends(record.path) == (np.float32, np.float32)
    assert precision == "fp32" or record.bytes < files["fp32"].bytes


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_a_file_holds_is_read_back(files, precision):
    held = TFLiteExporter().holds(Path(files[precision].path))
    mostly = {"fp32": "float32", "fp16": "float16"}.get(precision, "int8")
    assert max(held, key=held.__getitem__) == mostly
    assert (set(held) == {"float32"}) == (precision == "fp32")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_weights_stay_aligned_and_ends_keep_their_names(files, precision):
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_litert.schema_py_generated import Model

    path = Path(files[precision].path)
    model = Model.GetRootAs(path.read_bytes(), 0)
    buffers = [model.Buffers(number) for number in range(model.BuffersLength())]
    starts = [each._tab.Vector(each._tab.Offset(4)) for each in buffers if each.DataLength()]
    assert len(starts) > 10
    assert {start % 16 for start in starts} == {0}
    ends = Interpreter(model_path=str(path)).get_signature_runner()
    assert (list(ends.get_input_details()), list(ends.get_output_details())) == (
        ["image"], ["logits"],
    )  # fmt: skip


def test_precisions_differ_in_what_convolutions_compute_with(files):
    from ai_edge_litert.schema_py_generated import TensorType

    float32, int8 = TensorType.FLOAT32, TensorType.INT8
    taken = {
        precision: {
            (ends[0], ends[1]) for name, ends, _ in operators(record.path) if name == "CONV_2D"
        }
        for precision, record in files.items()
    }
    assert taken["fp32"] == taken["fp16"] == taken["int8-weights"] == {(float32, float32)}
    assert taken["int8-dynamic"] == {(float32, int8)}
    assert taken["int8"] == taken["int8-full"] == {(int8, int8)}
    inner = {
        precision: {
            kind
            for name, _, given in operators(files[precision].path)
            for kind in given
            if not any(part in name for part in ("QUANTIZE", "CONV"))
        }
        for precision in ("int8", "int8-full")
    }
    assert float32 in inner["int8"]
    assert inner["int8-full"] == {int8}


class Asking(nn.Module):
    """What is asked of a picture depends on no picture, as the first queries of a decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 1, 4, stride=4)
        self.query = nn.Parameter(torch.randn(3, 1, 4))
        self.key = nn.Parameter(torch.randn(3, 4, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(x) * (self.query @ self.key).sum()


def test_products_of_what_is_known_beforehand_stay_float_where_ranges_are_dynamic(tmp_path):
    torch.manual_seed(0)
    network, path = Asking().eval(), tmp_path / "asking.tflite"
    image = torch.rand(1, 3, SIDE, SIDE)
    TFLiteExporter().export(network, image, path, conversion(precision="int8-dynamic"))
    found = runtime_predictor(path, "tflite")(image.numpy())
    assert np.abs(found - network(image).detach().numpy()).max() < 0.05


def test_files_have_short_names_that_say_where_a_tensor_belongs(files):
    (graph,) = tflite_file.read(Path(files["fp32"].path)).subgraphs
    names = [tensor.name.decode() for tensor in graph.tensors]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) < 60
    assert any(name.endswith(" decoder1.5") for name in names)


def test_names_lose_the_classes_of_modules():
    long = b"my.Net/torch.nn.modules.container.Sequential_encoder/a.b.Linear_x_proj;3;;my.Net/c.D_e"
    tensors = [SimpleNamespace(name=name) for name in (long, b"arith.constant7", long)]
    tflite_file.shorten_names(SimpleNamespace(subgraphs=[SimpleNamespace(tensors=tensors)]))
    assert [each.name for each in tensors] == [b"0 encoder.x_proj", b"1", b"2 encoder.x_proj"]


def test_channels_last_inside_and_second_outside(files, channels_last):
    from ai_edge_litert.interpreter import Interpreter

    images = np.random.default_rng(0).normal(size=(2, 3, 32, 32)).astype(np.float32)
    for precision, record in channels_last.items():
        assert record.passed
        assert record.variant == ("int8-nhwc" if precision == "int8" else "nhwc")
        interpreter = Interpreter(model_path=record.path)
        assert interpreter.get_input_details()[0]["shape"].tolist() == [1, 32, 32, 3]
        assert interpreter.get_output_details()[0]["shape"].tolist() == [1, 32, 32, 1]
        contents = TFLiteExporter().contents(Path(record.path))
        assert (contents.input.layout, contents.output.layout) == ("NHWC", "NHWC")
        found = runtime_predictor(Path(record.path), "tflite")(images)
        expected = runtime_predictor(Path(files[precision].path), "tflite")(images)
        assert found.shape == (2, 1, 32, 32)
        assert np.abs(found - expected).max() < 0.05 * np.ptp(expected)


def test_a_file_that_says_nothing_runs_by_its_shape(channels_last, tmp_path):
    model = tflite_file.read(Path(channels_last["fp32"].path))
    model.metadata = []
    silent = tmp_path / "silent.tflite"
    tflite_file.write(model, silent)
    images = np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)
    found, expected = (
        runtime_predictor(path, "tflite")(images)
        for path in (silent, Path(channels_last["fp32"].path))
    )
    np.testing.assert_array_equal(found, expected)


def test_a_classifier_has_channels_last_in_its_input_alone(tmp_path):
    subject = resolve("resnet9", size=32, classes=4)
    (record,) = export(subject, ["tflite"], options=NHWC, out=tmp_path)
    contents = TFLiteExporter().contents(Path(record.path))
    assert record.passed
    assert (contents.input.shape, contents.output.shape) == ([1, 32, 32, 3], [1, 4])
    assert (contents.input.layout, contents.output.layout) == ("NHWC", "NC")


def test_profiles_feed_a_file_its_own_layout(channels_last):
    document = profile(channels_last["fp32"].path, max_seconds=0.2)
    (record,) = document.profiles
    assert record.input == [1, 32, 32, 3]


class Plain(nn.Module):
    """A convolution, whose file takes little time to make."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1, bias=False)
        nn.init.constant_(self.conv.weight, factor)

    def forward(self, x):
        return self.conv(x)


def test_precisions_of_one_export_share_a_conversion(tmp_path):
    example = torch.rand(1, 3, 32, 32)
    conversion = Conversion(contents_of(small(), ExportOptions()), shared=tmp_path)
    for factor in (1, 2):
        path = tmp_path / f"{factor}.tflite"
        TFLiteExporter().export(Plain(factor).eval(), example, path, conversion)
    found = [
        TFLiteExporter().session(tmp_path / f"{factor}.tflite")(example.numpy())
        for factor in (1, 2)
    ]
    np.testing.assert_allclose(found[0], example.sum(1, keepdim=True).numpy(), rtol=1e-6)
    np.testing.assert_array_equal(found[0], found[1])
