"""What the ExecuTorch exporter writes, run by ExecuTorch, where it is installed."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.command import tinyseg
from tests.exporters.small import conversion, small
from tests.finished_runs import draw_patients, finished_run
from tinyseg.exporters import export, resolve
from tinyseg.exporters.executorch import ExecuTorchExporter
from tinyseg.profiles import profile

needs_executorch = pytest.mark.skipif(
    find_spec("executorch") is None,
    reason="the extra [executorch] is not installed, which has an environment of its own",
)


def test_without_it_one_sentence_says_what_to_install_and_where(tmp_path: Path, hide):
    done = tinyseg(
        "export", "unet", "--format", "executorch", "--out", tmp_path / "out",
        environment=hide("executorch"),
    )  # fmt: skip
    said = " ".join(done.stderr.split())
    assert (done.returncode, done.stdout) == (1, "")
    assert "Export to executorch needs the package executorch" in said
    assert "pip install 'tinyseg[executorch]', in an environment without tinyseg[tflite]" in said
    assert not (tmp_path / "out").exists()


@needs_executorch
def test_a_file_does_what_its_network_does_and_says_what_it_is(tmp_path: Path):
    network, images = small()
    path, asked, exporter = tmp_path / "small.pte", conversion(), ExecuTorchExporter()
    details = exporter.export(network, images, path, asked)
    assert details.scan == "g8"
    assert details.nodes > 30
    assert exporter.contents(path) == asked.contents
    weights = sum(value.nbytes for value in network.parameters())
    (kind, held), *rest = exporter.holds(path).items()
    assert (kind, rest) == ("float32", [])
    assert weights <= held < weights + 400
    expected = network(images).detach().numpy()
    np.testing.assert_allclose(exporter.session(path)(images.numpy()), expected, atol=1e-5)


@needs_executorch
def test_operators_without_an_upper_bound_are_counted_too(tmp_path: Path):
    torch.manual_seed(0)
    network, image = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval(), torch.randn(1, 3, 8, 8)
    path, exporter = tmp_path / "relu.pte", ExecuTorchExporter()
    assert exporter.export(network, image, path, conversion()).nodes > 0
    expected = network(image).detach().numpy()
    np.testing.assert_allclose(exporter.session(path)(image.numpy()), expected, atol=1e-5)


@needs_executorch
@pytest.mark.usefixtures("third_party")
def test_it_is_proved_and_profiled(tmp_path: Path):
    data = draw_patients(tmp_path / "data")
    run = finished_run(tmp_path / "runs", "one-layer-drawn-1", str(data), "one-layer")
    (record,) = export(resolve(str(run.path)), ["executorch"])
    assert record.accuracy is not None
    assert record.accuracy.dice == pytest.approx(record.accuracy.run_dice)
    _, profiled = profile(resolve(str(run.path)), max_seconds=0.2).profiles
    assert profiled.runtime == "executorch"
    assert profiled.versions["executorch"][0].isdigit()
