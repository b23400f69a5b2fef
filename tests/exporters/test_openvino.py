"""What the OpenVINO exporter writes, two files, run by OpenVINO against PyTorch in float64."""

import copy
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.exporters.small import conversion, small
from tests.finished_runs import draw_patients, finished_run
from tinyseg.errors import ParityError, TinysegError
from tinyseg.exporters import check, export, parity, resolve
from tinyseg.exporters.parity import Gate, signal_to_noise
from tinyseg.profiles import profile
from tinyseg.runs import Run

pytest.importorskip("openvino", reason="the extra [openvino] is not installed")

from tinyseg.exporters.openvino import OpenVINOExporter

NAME = "one-layer-drawn-1"


@pytest.fixture
def run(third_party, tmp_path) -> Run:
    data = draw_patients(tmp_path / "data")
    return finished_run(tmp_path / "runs", NAME, str(data), "one-layer")


def names(run: Run) -> list[str]:
    return sorted(path.name for path in run.artifacts.iterdir())


def test_a_file_does_what_its_network_does_and_says_what_it_is(tmp_path: Path):
    network, images = small()
    expected = copy.deepcopy(network).double()(images.double()).detach().numpy()
    exporter, found = OpenVINOExporter(), {}
    for precision in ("fp32", "fp16"):
        path, asked = tmp_path / f"{precision}.xml", conversion(precision=precision)
        details = exporter.export(network, images, path, asked)
        assert details.scan == "g8"
        assert details.nodes > 30
        assert exporter.contents(path) == asked.contents
        found[precision] = exporter.session(path, threads=2)(images.numpy())
    np.testing.assert_allclose(found["fp32"], expected, atol=1e-5)
    assert not np.array_equal(found["fp16"], found["fp32"])
    ratio = signal_to_noise(expected.astype(np.float32), found["fp16"])
    assert ratio is not None
    assert ratio > 50

    parameters = sum(value.numel() for value in network.parameters())
    (kind, held), *rest = exporter.holds(tmp_path / "fp32.xml").items()
    assert (kind, rest) == ("float32", [])
    assert held == pytest.approx(4 * parameters, rel=0.05)  # some are folded
    half = exporter.holds(tmp_path / "fp16.xml")
    assert half["float16"] == pytest.approx(2 * parameters, rel=0.05)
    assert half.get("float32", 0) < 100


@pytest.mark.parametrize(
    "layer", [nn.GroupNorm(1, 3), nn.InstanceNorm2d(3), nn.AdaptiveAvgPool2d(1)]
)
def test_means_keep_their_digits_over_many_pixels(tmp_path: Path, layer: nn.Module):
    """Few of the pixels stand out, where sums one after another lose digits: 1e-5."""
    torch.manual_seed(0)
    images = 0.3 + 5 * torch.randn(1, 3, 256, 256) * (torch.rand(1, 3, 256, 256) < 0.02)
    expected = layer.double()(images.double()).detach().numpy()
    path, exporter = tmp_path / "layer.xml", OpenVINOExporter()
    exporter.export(layer.float().eval(), images, path, conversion(256))
    found = exporter.session(path)(images.numpy())
    assert np.abs(found - expected).max() / np.abs(expected).max() < 1e-6


def test_its_values_can_be_walked(tmp_path: Path):
    network, images = small()
    path, exporter = tmp_path / "small.xml", OpenVINOExporter()
    exporter.export(network, images, path, conversion())
    values = exporter.values(path, images.numpy())
    np.testing.assert_allclose(values["logits"], network(images).detach().numpy(), atol=1e-5)
    down = network.get_submodule("down")(images).detach().numpy()
    same_shape = [value for value in values.values() if value.shape == down.shape]
    assert min(np.abs(value - down).max() for value in same_shape) < 1e-5


def test_both_files_are_kept_together_described_and_profiled(run):
    (record,) = export(resolve(str(run.path)), ["openvino"])
    assert names(run) == [f"{NAME}.bin", f"{NAME}.xml", f"{NAME}.xml.json"]
    weights, graph = run.artifacts / f"{NAME}.bin", run.artifacts / f"{NAME}.xml"
    assert record.bytes == weights.stat().st_size + graph.stat().st_size
    (manifest,) = run.manifests
    assert manifest.beside == {".bin": hashlib.sha256(weights.read_bytes()).hexdigest()}
    assert record.accuracy is not None
    assert record.accuracy.dice == pytest.approx(record.accuracy.run_dice)
    assert check(graph, evaluate=False).described
    _, profiled = profile(resolve(str(run.path)), max_seconds=0.2).profiles
    assert profiled.runtime == "openvino"
    assert profiled.memory.artifact_bytes == record.bytes
    assert profiled.versions["openvino"].startswith("20")

    weights.write_bytes(bytes(len(weights.read_bytes())))
    with pytest.raises(TinysegError, match=r"\.bin is not the file that its manifest describes"):
        resolve(str(graph))
    assert not check(graph, evaluate=False).described
    weights.unlink()
    with pytest.raises(TinysegError, match=r"\.bin, which belongs to .*\.xml, is missing"):
        resolve(str(graph))
    with pytest.raises(TinysegError, match=r"no file '.*\.bin', which belongs to"):
        check(graph)


def test_files_that_fail_are_renamed_together_and_still_run(run, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(parity.GATES, "fp32", Gate(-1.0, None, 0.005))  # nobody passes
        with pytest.raises(ParityError):
            export(resolve(str(run.path)), ["openvino"], evaluate=False)
    failed = [f"{NAME}.bin.failed", f"{NAME}.xml.failed", f"{NAME}.xml.failed.json"]
    assert names(run) == [failed[0], f"{NAME}.openvino.failure.json", *failed[1:]]
    document = check(run.artifacts / failed[1], evaluate=False)
    assert (document.format, document.described, document.passed) == ("openvino", True, True)
    export(resolve(str(run.path)), ["openvino"], evaluate=False)
    assert names(run) == [f"{NAME}.bin", f"{NAME}.xml", f"{NAME}.xml.json"]
