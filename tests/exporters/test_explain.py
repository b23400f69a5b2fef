"""``--explain``: which of a network's stages is the first whose output differs in a file."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.command import tinyseg
from tinyseg.exporters import check, export, resolve, resolve_own
from tinyseg.exporters.stages import stage_outputs
from tinyseg.runs.records import ProofDocument

NETWORK = """
import torch
from torch import nn

class Steps(nn.Module):
    def __init__(self):
        super().__init__()
        self.entrance = nn.Conv2d(3, 4, 3, padding=1)
        self.blocks = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1) for _ in range(2))
        self.norm = nn.BatchNorm2d(4)  # which converters fold into what is around it
        self.head = nn.Conv2d(4, 1, 5, padding=2)

    def forward(self, x):
        x = self.entrance(x)
        for block in self.blocks:
            x = torch.abs(block(x))  # which no converter joins with a convolution, unlike ReLU
        return torch.tanh(self.head(torch.abs(self.norm(x))))
"""
STAGES = ["entrance", "blocks.0", "blocks.1", "norm", "head", "(output)"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory, request) -> Path:
    """A folder with the network and its two files."""
    folder = tmp_path_factory.mktemp("steps")
    (folder / "steps_to_explain.py").write_text(NETWORK)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", list(sys.path))
        export(resolve_own("steps_to_explain:Steps", size=16), ["onnx", "tflite"])
    return folder


def spoil_onnx(path: Path, shape: tuple[int, ...], number: int) -> None:
    """Makes a weight 10 % larger: the one of that shape and number."""
    import onnx

    model = onnx.load(path)
    tensors = [tensor for tensor in model.graph.initializer if tuple(tensor.dims) == shape]
    values = onnx.numpy_helper.to_array(tensors[number])
    tensors[number].CopyFrom(onnx.numpy_helper.from_array(values * 1.1, tensors[number].name))
    onnx.save(model, path)


def spoil_tflite(path: Path, count: int) -> None:
    """Makes a weight 10 % larger: the one of that many numbers."""
    from ai_edge_litert.tools.flatbuffer_utils import read_model

    data = path.read_bytes()
    (weight,) = (
        np.asarray(buffer.data, np.uint8).tobytes()
        for buffer in read_model(str(path)).buffers
        if buffer.data is not None and len(buffer.data) == 4 * count
    )
    assert data.count(weight) == 1
    path.write_bytes(data.replace(weight, (np.frombuffer(weight, np.float32) * 1.1).tobytes()))


def explained(folder: Path, tmp_path: Path, monkeypatch, suffix: str, spoil=None) -> ProofDocument:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = Path(shutil.copy(folder / f"steps_to_explain-Steps.{suffix}", tmp_path))
    if spoil:
        spoil(path)
    return check(path, resolve_own("steps_to_explain:Steps", size=16), explain=True)


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_a_good_file_agrees_step_by_step(exported, tmp_path, monkeypatch, suffix):
    document = explained(exported, tmp_path, monkeypatch, suffix)
    assert document.passed
    assert document.explanation is not None
    assert [stage.name for stage in document.explanation.stages] == STAGES
    agreeing = {stage.name for stage in document.explanation.stages if stage.agrees}
    assert agreeing >= {"entrance", "blocks.0", "blocks.1", "head", "(output)"}
    assert document.explanation.first is None
    assert document.explanation.note.startswith("Step by step, the file gives what the network")
    assert ("without XNNPACK" in document.explanation.note) == (suffix == "tflite")


@pytest.mark.parametrize(
    ("suffix", "spoil", "first"),
    [
        ("onnx", lambda path: spoil_onnx(path, (4, 3, 3, 3), 0), "entrance"),
        ("onnx", lambda path: spoil_onnx(path, (4, 4, 3, 3), 0), "blocks.0"),
        ("onnx", lambda path: spoil_onnx(path, (1, 4, 5, 5), 0), "head"),
        ("tflite", lambda path: spoil_tflite(path, 4 * 3 * 3 * 3), "entrance"),
        ("tflite", lambda path: spoil_tflite(path, 4 * 5 * 5), "head"),
    ],
)
def test_the_first_stage_that_differs_is_named(
    exported, tmp_path, monkeypatch, suffix, spoil, first
):
    document = explained(exported, tmp_path, monkeypatch, suffix, spoil)
    assert (document.passed, document.stage) == (False, "parity")
    assert document.explanation is not None
    assert document.explanation.first == first
    assert f"The first stage whose output differs is {first} (Conv2d)." in document.explanation.note


def test_the_command_shows_the_walk_and_fails(exported, tmp_path):
    path = Path(
        shutil.copy(exported / "steps_to_explain-Steps.onnx", tmp_path / "from-elsewhere.onnx")
    )
    spoil_onnx(path, (4, 4, 3, 3), 0)
    done = tinyseg(
        "export", "--check", path, "--from", "steps_to_explain:Steps", "--size", "16", "--explain",
        cwd=exported,
    )  # fmt: skip
    assert done.returncode == 3
    assert "blocks.0 (Conv2d)" in done.stdout
    assert "The first stage whose output differs is blocks.0 (Conv2d)." in done.stdout
    assert "from-elsewhere.onnx does not do what steps_to_explain:Steps does" in done.stderr


@pytest.mark.usefixtures("third_party")
def test_a_format_that_shows_nothing_says_so(tmp_path):
    (record,) = export(resolve("one-layer", size=16), ["npz-file"], out=tmp_path, explain=True)
    assert record.explanation is not None
    assert record.explanation.stages == []
    assert record.explanation.note == "npz-file does not show what happens inside its files."
    subject = resolve(record.path)
    assert subject.manifest is not None
    assert subject.manifest.artifact.explanation == record.explanation


class Nested(nn.Module):
    """One child alone, which has two that are called in another order than they are named in."""

    def __init__(self) -> None:
        super().__init__()
        inner = nn.Module()
        inner.later, inner.sooner = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)
        inner.forward = lambda x: (inner.later(inner.sooner(inner.sooner(x))), None)
        self.inner = inner

    def forward(self, x):
        return self.inner(x)[0]


def test_stages_come_in_the_order_in_which_they_run():
    torch.manual_seed(0)
    network = Nested().eval()
    inputs = np.random.default_rng(0).normal(size=(1, 2, 4, 4)).astype(np.float32)
    outputs = stage_outputs(network, inputs)
    assert [(each.name, each.module) for each in outputs] == [
        ("inner.sooner", "Conv2d"), ("inner.sooner#2", "Conv2d"), ("inner.later", "Conv2d"),
    ]  # fmt: skip
    with torch.no_grad():
        expected = network(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(outputs[-1].values, expected, rtol=1e-6, atol=1e-6)
    assert not any(module._forward_hooks for module in network.modules())
