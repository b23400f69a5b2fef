"""What the pt2 exporter writes, archives and compiled packages, run by PyTorch."""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from tests.command import tinyseg
from tests.exporters.small import conversion, small
from tests.finished_runs import draw_patients, finished_run
from tinyseg.errors import TinysegError
from tinyseg.exporters import export, resolve
from tinyseg.exporters.pt2 import PT2Exporter
from tinyseg.profiles import profile

LOADS_ALONE = """
import importlib.util, sys
import numpy as np, torch
assert importlib.util.find_spec("tinyseg") is None
program = torch.export.load(sys.argv[1])
np.save(sys.argv[3], program.module()(torch.from_numpy(np.load(sys.argv[2]))).numpy())
"""


def test_an_archive_does_what_its_network_does_and_says_what_it_is(tmp_path: Path):
    network, images = small()
    path, asked, exporter = tmp_path / "small.pt2", conversion(), PT2Exporter()
    details = exporter.export(network, images, path, asked)
    assert details.scan == "g8"
    assert exporter.contents(path) == asked.contents
    weights = sum(value.nbytes for value in network.parameters())
    assert exporter.holds(path) == {"float32": weights}
    expected = network(images).numpy()
    moved = path.rename(path.with_name("small.pt2.failed"))
    np.testing.assert_allclose(exporter.session(moved)(images.numpy()), expected, atol=1e-6)
    assert exporter.holds(moved) == {"float32": weights}


def test_an_archive_runs_without_tinyseg_and_tells_no_path(tmp_path: Path, hide):
    network, images = small()
    path = tmp_path / "small.pt2"
    PT2Exporter().export(network, images, path, conversion())
    np.save(tmp_path / "in.npy", images.numpy())
    files = [str(path), str(tmp_path / "in.npy"), str(tmp_path / "out.npy")]
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOADS_ALONE, *files],
        env=hide("tinyseg"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), network(images).numpy(), atol=1e-6)
    with zipfile.ZipFile(path) as archive:
        inside = b"".join(archive.read(name) for name in archive.namelist())
    assert b"stack_trace" not in inside
    assert str(Path(__file__).parents[2]).encode() not in inside


def test_somebody_elses_archive_says_nothing(tmp_path: Path):
    (tmp_path / "a.pt2").write_bytes(b"nothing")
    with pytest.raises(TinysegError, match=r"a\.pt2 was not written by tinyseg"):
        PT2Exporter().contents(tmp_path / "a.pt2")


def test_a_compiled_package_does_the_same(tmp_path: Path):
    """Two layers, because the compiler takes its time."""
    _, images = small()
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU()).eval()
    path, asked, exporter = tmp_path / "two.pt2", conversion(aot=True), PT2Exporter()
    exporter.check_options(asked.options)
    exporter.export(network, images, path, asked)
    assert exporter.contents(path) == asked.contents
    assert exporter.holds(path) == {"float32": sum(value.nbytes for value in network.parameters())}
    expected = network(images).numpy()
    np.testing.assert_allclose(exporter.session(path)(images.numpy()), expected, atol=1e-6)
    with zipfile.ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".cpp")]


def test_without_a_compiler_nothing_is_begun(tmp_path: Path):
    done = tinyseg(
        "export", "resnet9", "--format", "pt2", "--aot", "--out", tmp_path / "out",
        environment={"CXX": "no-such-compiler"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert "--aot needs a C++ compiler" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("third_party")
def test_it_is_proved_and_profiled_beside_the_weights(tmp_path: Path):
    data = draw_patients(tmp_path / "data")
    run = finished_run(tmp_path / "runs", "one-layer-drawn-1", str(data), "one-layer")
    (record,) = export(resolve(str(run.path)), ["pt2"])
    assert record.accuracy is not None
    assert record.accuracy.dice == pytest.approx(record.accuracy.run_dice)
    ours, theirs = profile(resolve(str(run.path)), max_seconds=0.2).profiles
    assert (ours.runtime, theirs.runtime) == ("torch", "torch-export")
    assert theirs.artifact == "one-layer-drawn-1.pt2"
    kept = sorted(path.name for path in (run.path / "profiles").iterdir())
    assert kept == ["cpu-torch-export-fp32-t1.json", "cpu-torch-fp32-t1.json"]
