"""The same file in a second runtime: recorded where it is installed, and it decides, too."""

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest

from tinyseg.errors import ChildError, UsageError
from tinyseg.exporters import export, resolve, second
from tinyseg.exporters.asked import require_formats
from tinyseg.exporters.outcome import StageError, require_parity
from tinyseg.exporters.second import second_parity
from tinyseg.exporters.tflite import TFLiteExporter

INSTALLED = importlib.util.find_spec("tensorflow") is not None


class Twice(TFLiteExporter):
    second_runtime = "elsewhere"
    second_runs_with = "json"


class Once(Twice):
    second_runs_with = "a_package_that_nobody_has"


def seen(monkeypatch, tmp_path, found, exporter=None):
    """What is found out about a file whose second runtime gives that."""
    logits = np.linspace(-3, 3, 64, dtype=np.float32).reshape(1, 1, 8, 8)
    proof = SimpleNamespace(inputs=None, logits=logits, subject=SimpleNamespace(threshold=0.5))

    def predictor(path, format_, *, second):
        assert second
        return lambda _: found(logits)

    monkeypatch.setattr(second, "runtime_predictor", predictor)
    return second_parity(proof, tmp_path, exporter or Twice(), "fp32")  # pyright: ignore


def test_it_is_compared_as_the_first_is(monkeypatch, tmp_path):
    parity = seen(monkeypatch, tmp_path, lambda logits: logits)
    assert parity["elsewhere"].passed
    require_parity("x.tflite", None, None, parity)
    parity = seen(monkeypatch, tmp_path, lambda logits: logits + 1)
    with pytest.raises(StageError) as caught:
        require_parity("x.tflite", None, None, parity)
    assert caught.value.stage == "parity"
    assert caught.value.reason.startswith("in elsewhere, probabilities differ by up to 0.2")


def test_one_that_crashes_or_answers_otherwise_fails_the_file(monkeypatch, tmp_path):
    def crash(logits):
        raise ChildError("elsewhere, running x.tflite, crashed.")

    with pytest.raises(StageError) as caught:
        seen(monkeypatch, tmp_path, crash)
    assert caught.value.stage == "run"
    with pytest.raises(StageError) as caught:
        seen(monkeypatch, tmp_path, lambda logits: logits[..., :4])
    assert caught.value.stage == "parity"


def test_one_that_is_absent_is_left_out(monkeypatch, tmp_path):
    assert seen(monkeypatch, tmp_path, lambda logits: logits, Once()) == {}


@pytest.mark.skipif(not INSTALLED, reason="TensorFlow is not installed: tinyseg[tensorflow]")
def test_tensorflow_runs_the_same_file(tmp_path):
    subject = resolve("unet", size=32, arguments={"base_channels": 4, "depth": 2})
    records = export(
        subject, ["tflite"], precisions=("fp32", "int8-full"), calibration_images=4, out=tmp_path
    )
    for record in records:
        parity = record.also["tensorflow"]
        assert (parity.passed, parity.images) == (True, 64)
    assert records[0].also["tensorflow"].max_abs < 1e-5


def test_saved_model_says_what_to_take_instead():
    with pytest.raises(UsageError, match="saved_model is not written") as caught:
        require_formats(["onnx", "saved_model"])
    assert "--format tflite" in caught.value.mend
