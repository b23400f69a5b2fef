"""What a command works on: a run, an exported file, or a network's name."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.finished_runs import THRESHOLD
from tinyseg.errors import TinysegError, UsageError
from tinyseg.exporters.subject import manifest_path, resolve
from tinyseg.runs import Run

UL, UNET = "ul-vm-unet-drawn-1", "unet-drawn-1"


def test_a_run_by_its_folder_and_by_its_name(finished_runs, monkeypatch):
    by_path = resolve(str(finished_runs / UNET))
    assert by_path.run is not None
    monkeypatch.chdir(finished_runs.parent)
    by_name = resolve(UNET, runs=Path(finished_runs.name))
    assert by_name.run is not None
    assert by_name.run.path.resolve() == by_path.run.path.resolve()
    for subject in (by_path, by_name):
        assert (subject.name, subject.network_name) == (UNET, "unet")
        assert dict(subject.arguments) == {"base_channels": 4, "depth": 3}
        assert subject.input_shape == (1, 3, 64, 64)
        assert (list(subject.classes), subject.threshold) == (["tumour"], THRESHOLD)
        assert subject.artifact is None


def test_a_run_from_inside_its_own_folder(finished_runs, monkeypatch):
    monkeypatch.chdir(finished_runs / UNET)
    assert resolve(".").name == UNET


def test_a_run_predicts_as_its_weights_do(finished_runs):
    from tinyseg.evaluation import network_predictor
    from tinyseg.networks import load_network

    inputs = np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype(np.float32)
    expected = network_predictor(load_network(Run(finished_runs / UL)))(inputs)
    assert np.array_equal(resolve(str(finished_runs / UL)).predictor()(inputs), expected)


@pytest.mark.parametrize("format_", ["onnx", "tflite"])
def test_an_artifact_predicts_in_its_own_runtime_without_its_run(exported_runs, tmp_path, format_):
    source = exported_runs / UNET / "artifacts" / f"{UNET}.{format_}"
    for path in (source, manifest_path(source)):
        shutil.copy(path, tmp_path)
    subject = resolve(str(tmp_path / source.name))
    assert (subject.name, subject.run) == (source.name, None)
    assert subject.preprocessing == Run(exported_runs / UNET).record.preprocessing
    assert subject.threshold == THRESHOLD
    inputs = np.random.default_rng(0).normal(size=(3, 3, 64, 64)).astype(np.float32)
    expected = resolve(str(exported_runs / UNET)).predictor()(inputs)
    found = subject.predictor()(inputs)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert 0 < np.abs(found - expected).max() < 1e-4
    with pytest.raises(UsageError, match="is an exported file, which holds no network"):
        subject.network()


def test_an_artifact_knows_the_run_it_lies_in(exported_runs):
    subject = resolve(str(exported_runs / UNET / "artifacts" / f"{UNET}.onnx"))
    assert subject.run is not None
    assert subject.run.name == UNET


def test_an_artifact_changed_after_its_export_is_refused(runs):
    path = runs / UNET / "artifacts" / f"{UNET}.onnx"
    with path.open("r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(TinysegError, match=r"drawn-1\.onnx is not the file that its manifest"):
        resolve(str(path))


def test_an_artifact_needs_its_manifest(runs):
    path = runs / UNET / "artifacts" / f"{UNET}.onnx"
    manifest_path(path).write_text('{"schema": 7}')
    with pytest.raises(TinysegError, match=r"onnx\.json is not a manifest that tinyseg reads"):
        resolve(str(path))
    manifest_path(path).unlink()
    with pytest.raises(TinysegError, match=r"has no manifest beside it .*drawn-1\.onnx\.json"):
        resolve(str(path))


def test_fresh_weights_come_from_the_seed_alone():
    import torch

    first, second = (resolve("unet", arguments={"base_channels": 2}) for _ in range(2))
    other = resolve("unet", arguments={"base_channels": 2}, seed=1)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    weights = [subject.network().state_dict()["conv.weight"] for subject in (first, second, other)]
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_fresh_weights_have_the_shape_that_was_asked_for():
    import torch

    subject = resolve("unet", size=48, classes=3, in_channels=2, arguments={"base_channels": 2})
    assert subject.input_shape == (1, 2, 48, 48)
    assert list(subject.classes) == ["background", "class 1", "class 2"]
    assert subject.network()(torch.zeros(subject.input_shape)).shape == (1, 3, 48, 48)
    assert len(subject.preprocessing.mean) == len(subject.preprocessing.std) == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ul-vmunet", "'ul-vmunet' is no run, .* Did you mean 'ul-vm-unet'"),
        ("unet-drawn-2", "Did you mean 'unet-drawn-1'"),
        ("zzzz", "Networks: .*ul-vm-unet.* Runs in .*: ul-vm-unet-drawn-1, unet-drawn-1"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(finished_runs, text, sentence):
    with pytest.raises(UsageError, match=sentence):
        resolve(text, runs=finished_runs)


def test_a_folder_that_is_no_run_is_called_so(tmp_path):
    with pytest.raises(UsageError, match=r"is a folder without run\.json, so no run"):
        resolve(str(tmp_path), runs=tmp_path)


def test_a_run_without_weights_says_how_to_get_them(runs):
    (runs / UNET / "weights" / "best.safetensors").unlink()
    with pytest.raises(TinysegError, match=r"has no weights yet\. .*train --resume"):
        resolve(str(runs / UNET)).network()


def test_weights_of_another_network_are_refused(runs):
    record = runs / UNET / "run.json"
    changed = json.loads(record.read_text())
    changed["arguments"] = {"base_channels": 8, "depth": 3}
    record.write_text(json.dumps(changed))
    with pytest.raises(TinysegError, match=r"best\.safetensors does not fit unet"):
        resolve(str(runs / UNET)).network()


def test_resolving_what_was_made_brings_no_torch(exported_runs):
    path = exported_runs / UNET / "artifacts" / f"{UNET}.onnx"
    program = f"""
import sys
from tinyseg.exporters import resolve
for text in ({str(path)!r}, {str(exported_runs / UNET)!r}):
    resolve(text)
print({{"torch", "onnx", "onnxruntime", "scipy"}} & set(sys.modules))
"""
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert shown.stdout == "set()\n", shown.stderr
