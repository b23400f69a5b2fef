"""Fewer bits: ranges from calibration, and files that take and give integers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tinyseg.exporters import resolve, tflite_file
from tinyseg.exporters.base import Conversion
from tinyseg.exporters.manifest import contents_of
from tinyseg.exporters.runtime import runtime_predictor
from tinyseg.exporters.tflite import TFLiteExporter
from tinyseg.exporters.tflite_quantise import quantise
from tinyseg.profiles import Request, Target
from tinyseg.profiles.cpu import CpuDevice
from tinyseg.runs.records import ExportOptions

SIDE = 16

pytestmark = pytest.mark.filterwarnings("ignore:.*BUILTIN or AUTO op resolver")  # to calibrate


class Sum(nn.Module):
    """Gives the sum of the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1, bias=False)
        nn.init.ones_(self.conv.weight)

    def forward(self, x):
        return self.conv(x)


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """The sum as a float32 file."""
    path = tmp_path_factory.mktemp("sum") / "sum.tflite"
    contents = contents_of(resolve("unet", size=SIDE), ExportOptions())
    example = torch.rand(1, 3, SIDE, SIDE)
    TFLiteExporter().export(Sum().eval(), example, path, Conversion(contents))
    return path


def copied(file: Path, folder: Path) -> Path:
    path = folder / "copy.tflite"
    path.write_bytes(file.read_bytes())
    return path


def pictures(*values: float) -> np.ndarray:
    shape = (len(values), 3, SIDE, SIDE)
    return np.asarray(values, np.float32)[:, None, None, None] * np.ones(shape, np.float32)


@pytest.mark.parametrize("precision", ["int8", "int8-full"])
def test_ranges_hold_what_only_one_picture_of_many_has(file, tmp_path, precision):
    path = copied(file, tmp_path)
    quantise(path, precision, pictures(*[-1.0] * 9, 8.0, *[-1.0] * 9))
    found = runtime_predictor(path, "tflite")(pictures(8, -1))
    assert found[0].mean() == pytest.approx(24, abs=0.3)
    assert found[1].mean() == pytest.approx(-3, abs=0.3)


def test_a_file_may_take_and_give_integers(file, tmp_path):
    path = copied(file, tmp_path)
    quantise(path, "int8-full", pictures(-1, 1), integer_ends=True)
    model = tflite_file.read(path)
    tflite_file.write_contents(model, TFLiteExporter().contents(file))
    tflite_file.write(model, path)
    contents = TFLiteExporter().contents(path)
    for end, largest in ((contents.input, 1), (contents.output, 3)):
        assert end.dtype == "int8"
        assert end.scale == pytest.approx(2 * largest / 255, rel=0.01)
        assert end.zero_point in (-1, 0)
    found = runtime_predictor(path, "tflite")(pictures(0.5, -0.25, 7))
    assert found.dtype == np.float32
    assert found.mean((1, 2, 3)) == pytest.approx([1.5, -0.75, 3], abs=0.03)
    values = TFLiteExporter().values(path, pictures(0.5))
    assert any(value.mean() == pytest.approx(1.5, abs=0.03) for value in values.values())

    target = Target(path, path.name, "litert", "int8-full", (1, 3, SIDE, SIDE), "tflite")
    record = CpuDevice().measure(target, Request(1, max_seconds=0.1))
    assert record.latency_ms.p50 > 0
