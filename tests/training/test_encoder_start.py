"""Trainings whose encoder starts from a file: which the run tells, and needs no second time."""

import shutil
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.command import tinyseg
from tests.training.discs import SIZE, draw_discs
from tests.training.test_train import assert_same_weights
from tinyseg.errors import TinysegError
from tinyseg.exporters import resolve
from tinyseg.networks import build, load_network
from tinyseg.networks.resnet_seg import RESNET18
from tinyseg.runs import Run
from tinyseg.runs.records import Protocol
from tinyseg.training import resume, train

SLIM = {"depths": (1, 1, 1, 1), "decoder_channels": (8, 8, 8)}

#: Trains in a process of its own, and ends it without a word after some steps.
KILLED = """
import os, signal, sys
from pathlib import Path
from tinyseg.runs.records import Protocol
from tinyseg.training import train

def progress(what, done, total, figures):
    if (what, done) == ("Training", int(sys.argv[4])):
        os.kill(os.getpid(), signal.SIGKILL)

train("resnet18-seg", sys.argv[1], Protocol.model_validate_json(sys.argv[2]),
      arguments={arguments}, runs=Path(sys.argv[3]), progress=progress)
"""


@pytest.fixture(scope="module")
def discs(tmp_path_factory) -> Path:
    return draw_discs(tmp_path_factory.mktemp("discs"))


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """Weights as torchvision names them, unlike any that seed 0 gives."""
    torch.manual_seed(7)
    encoder = build("resnet18-seg", **SLIM).get_submodule("encoder").state_dict()
    name_in_file = RESNET18.encoder_weights.name_in_file
    path = tmp_path_factory.mktemp("weights") / "slim.pth"
    torch.save({name_in_file(name): value for name, value in encoder.items()}, path)
    return path


def protocol(file: Path, **changes) -> Protocol:
    known = {"size": SIZE, "epochs": 2, "batch_size": 4, "threads": 1, "encoder_weights": str(file)}
    return Protocol(**{**known, **changes})


@pytest.fixture(scope="module")
def finished(discs, file, tmp_path_factory) -> Run:
    """A run whose file is gone."""
    runs = tmp_path_factory.mktemp("runs")
    copy = Path(shutil.copy(file, runs / "copy.pth"))
    run = train("resnet18-seg", str(discs), protocol(copy), arguments=SLIM, runs=runs)
    copy.unlink()
    return run


def test_the_run_says_what_its_encoder_started_from(finished, file):
    record = finished.record
    assert record.protocol is not None
    assert record.encoder_start is not None
    assert record.protocol.encoder_weights == record.encoder_start.source
    assert record.encoder_start.source.endswith("copy.pth")
    assert record.encoder_start.sha256 == sha256(file.read_bytes()).hexdigest()


def test_the_training_starts_there(discs, file, tmp_path):
    """With a learning rate of zero the weights stay what they were, in the decoder fresh ones."""
    still = protocol(file, lr=0.0, epochs=1)
    run = train("resnet18-seg", str(discs), still, arguments=SLIM, runs=tmp_path)
    kept, given = load_file(run.best_weights), torch.load(file, weights_only=True)
    assert torch.equal(kept["encoder.0.weight"], given["conv1.weight"])
    assert torch.equal(kept["encoder.7.0.conv2.weight"], given["layer4.0.conv2.weight"])
    torch.manual_seed(0)
    fresh = build("resnet18-seg", **SLIM).state_dict()
    assert torch.equal(kept["decoder.0.weight"], fresh["decoder.0.weight"])


def test_a_finished_run_needs_no_file(finished):
    weights = {path.name for path in finished.best_weights.parent.iterdir()}
    assert weights == {"best.safetensors", "last.ckpt"}
    with torch.no_grad():
        assert load_network(finished)(torch.rand(1, 3, SIZE, SIZE)).isfinite().all()
    assert resolve(str(finished.path)).network() is not None


@pytest.mark.parametrize("step", [2, 5])
def test_a_killed_training_goes_on_without_the_file(discs, file, finished, tmp_path, step):
    """Step 2 is in the first epoch, before any checkpoint; step 5 in the second."""
    copy = Path(shutil.copy(file, tmp_path / "copy.pth"))
    ended = subprocess.run(
        [sys.executable, "-c", KILLED.format(arguments=SLIM), str(discs),
         protocol(copy).model_dump_json(), str(tmp_path / "runs"), str(step)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    copy.unlink()
    (run,) = Run.all(tmp_path / "runs")
    resume(run)
    assert_same_weights(run, finished)
    assert not run.encoder_start.exists()


def test_without_its_start_a_killed_training_does_not_begin_at_random(finished, tmp_path):
    run = Run(Path(shutil.copytree(finished.path, tmp_path / "run")))
    run.update(state="interrupted", epochs_done=0)
    run.last_checkpoint.unlink()
    with pytest.raises(TinysegError, match=r"encoder-start\.safetensors is missing, from which"):
        resume(run)


def test_the_command_names_a_file_that_is_none_before_a_run_begins(discs, tmp_path):
    ended = tinyseg(
        "train", "--model", "resnet18-seg", "--data", discs, "--size", SIZE,
        "--encoder-weights", tmp_path / "none.pth", "--runs", tmp_path / "runs",
    )  # fmt: skip
    assert ended.returncode == 1
    assert "There is no file" in ended.stderr
    assert not (tmp_path / "runs").exists()
