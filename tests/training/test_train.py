"""Whole trainings on small real files: what they leave, and that nothing but chance-free steps
leads there."""

import csv
import json
import math
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.command import tinyseg
from tests.training.discs import SIZE, draw_discs
from tinyseg.data import Pictures, Preprocessing, load_pictures, open_dataset
from tinyseg.errors import TinysegError, UsageError
from tinyseg.evaluation import evaluate_run, network_predictor
from tinyseg.networks import load_network
from tinyseg.runs import Run
from tinyseg.runs.records import Protocol
from tinyseg.training import resume, train
from tinyseg.training.module import TrainingModule

QUICK = Protocol(
    size=SIZE, epochs=3, batch_size=4, lr=0.02, augment=["flip", "rotate", "intensity"], threads=1
)
NARROW = {"base_channels": 4, "depth": 2}

#: Trains in a process of its own, and ends it without a word after some steps.
KILLED = """
import os, signal, sys
from pathlib import Path
from tinyseg.runs.records import Protocol
from tinyseg.training import train

def progress(what, done, total, figures):
    if (what, done) == ({what!r}, {step}):
        os.kill(os.getpid(), signal.{signal})

train("ul-vm-unet", sys.argv[1], Protocol.model_validate_json(sys.argv[2]),
      runs=Path(sys.argv[3]), progress=progress)
"""


@pytest.fixture(scope="session")
def discs(tmp_path_factory) -> Path:
    return draw_discs(tmp_path_factory.mktemp("discs"))


@pytest.fixture(scope="session")
def finished(discs, tmp_path_factory) -> Run:
    return train("ul-vm-unet", str(discs), QUICK, runs=tmp_path_factory.mktemp("runs"))


def history(run: Run) -> list[dict[str, float]]:
    with (run.path / "history.csv").open(newline="") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def without_times(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    return [
        {k: v for k, v in row.items() if k not in ("seconds", "images_per_second")} for row in rows
    ]


def killed(discs: Path, runs: Path, step: int, how: str = "SIGKILL", what: str = "Training") -> Run:
    ended = subprocess.run(
        [sys.executable, "-c", KILLED.format(what=what, step=step, signal=how), str(discs),
         QUICK.model_dump_json(), str(runs)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == -signal.Signals[how], ended.stderr
    (run,) = Run.all(runs)
    return run


def assert_same_weights(run: Run, other: Run) -> None:
    ours, theirs = load_file(run.best_weights), load_file(other.best_weights)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name
    ends = [
        torch.load(each.last_checkpoint, weights_only=True)["state_dict"] for each in (run, other)
    ]
    for name in ends[0]:
        assert torch.equal(ends[0][name], ends[1][name]), name


def test_a_finished_run_is_whole(finished):
    names = {str(path.relative_to(finished.path)) for path in finished.path.rglob("*.*")}
    assert names >= {
        "run.json", "split.json", "history.csv", "evaluation.json", "evaluation.csv", "count.json",
        "log.txt", "weights/best.safetensors", "weights/last.ckpt", "pictures/curves.png",
        "pictures/samples.png",
    }  # fmt: skip
    record = finished.record
    assert (record.state, record.epochs_done, record.stopped_early) == ("finished", 3, False)
    assert record.protocol.accelerator == ("gpu" if torch.cuda.is_available() else "cpu")
    assert finished.name.startswith("ul-vm-unet-discs")
    assert record.protocol.warmup_steps == 1  # a tenth of 4 batches x 3 epochs
    assert finished.count is not None
    assert finished.count.parameters == record.parameters == 49_457
    assert not list(finished.path.rglob("*.tmp"))


def test_the_best_epoch_is_kept(finished):
    rows = history(finished)
    dice = [row["validation_dice"] for row in rows]
    best = finished.record.best
    assert best is not None
    assert (best.epoch, best.score) == (1 + int(np.argmax(dice)), max(dice))
    predictor = network_predictor(load_network(finished))
    again = evaluate_run(finished, predictor, part="validation").record
    assert again.dice.per_image.mean == pytest.approx(best.score, abs=1e-6)


def test_the_evaluation_is_that_of_the_kept_weights(finished):
    written = finished.evaluation
    again = evaluate_run(finished, network_predictor(load_network(finished)))
    assert written == again.record


def test_training_normalises_as_everything_else_does(finished):
    """The mean and deviation are those of the training part, and one function applies them."""
    record = finished.record
    dataset = open_dataset(record.data.source)
    pictures = load_pictures(dataset, finished.split.train, SIZE)
    values = pictures.images.reshape(-1, 3) / 255
    assert record.preprocessing.mean == pytest.approx(values.mean(0), abs=1e-9)
    assert record.preprocessing.std == pytest.approx(values.std(0), abs=1e-9)
    expected = record.preprocessing.normalise(pictures.images)
    trained, validated = seen_by_the_network(record.preprocessing, pictures, augment=[])
    assert np.array_equal(trained, expected)
    assert np.array_equal(validated, expected)


def test_pictures_are_augmented_in_training_alone(finished):
    preprocessing = finished.record.preprocessing
    dataset = open_dataset(finished.record.data.source)
    pictures = load_pictures(dataset, finished.split.train, SIZE)
    expected = preprocessing.normalise(pictures.images)
    trained, validated = seen_by_the_network(preprocessing, pictures, augment=["flip"])
    assert np.array_equal(validated, expected)
    flips = [[image, image[:, ::-1], image[..., ::-1], image[:, ::-1, ::-1]] for image in expected]
    chosen = {
        [np.allclose(image, flip, atol=1e-5) for flip in four].index(True)
        for image, four in zip(trained, flips, strict=True)
    }
    assert chosen == {0, 1, 2, 3}


def seen_by_the_network(
    preprocessing: Preprocessing, pictures: Pictures, augment: list[str]
) -> list[np.ndarray]:
    """What a network gets in a step of training, and in one of validation."""
    seen: list[np.ndarray] = []
    network = torch.nn.Conv2d(3, 1, 1)
    network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].numpy()))
    protocol = Protocol(augment=augment)
    module = TrainingModule(network, protocol, preprocessing, pictures, False, 0.5, 1)
    module.log = lambda *_, **__: None
    batch = torch.from_numpy(pictures.images), torch.from_numpy(pictures.labels)
    torch.manual_seed(0)
    module.training_step(batch, 0)
    with torch.no_grad():
        module.validation_step(batch, 0)
    return seen


def test_equal_protocols_give_equal_weights(discs, finished, tmp_path):
    again = train("ul-vm-unet", str(discs), QUICK, runs=tmp_path)
    assert_same_weights(finished, again)
    assert without_times(history(finished)) == without_times(history(again))


def test_another_seed_gives_another_split_and_other_weights(discs, finished, tmp_path):
    other = train("ul-vm-unet", str(discs), QUICK.model_copy(update={"seed": 1}), runs=tmp_path)
    assert other.split.test != finished.split.test
    assert history(other)[0]["train_loss"] != history(finished)[0]["train_loss"]


@pytest.mark.parametrize("step", [2, 6])
def test_a_training_killed_in_mid_epoch_goes_on_as_if_nothing_happened(
    discs, finished, tmp_path, step
):
    """Step 2 is in the first epoch, before any checkpoint; step 6 in the second."""
    run = killed(discs, tmp_path, step)
    assert run.record.state == "running"
    resume(run)
    assert run.record.state == "finished"
    assert_same_weights(run, finished)
    assert without_times(history(run)) == without_times(history(finished))
    assert run.evaluation == finished.evaluation.model_copy(update={"subject": run.name})


def test_a_run_killed_after_its_last_epoch_is_still_scored(discs, finished, tmp_path):
    run = killed(discs, tmp_path, 3, what="Evaluating")
    assert (run.record.state, run.record.epochs_done, run.evaluation) == ("running", 3, None)
    resume(run)
    assert run.record.state == "finished"
    assert_same_weights(run, finished)
    assert run.evaluation.dice == finished.evaluation.dice


def test_an_interrupted_training_says_so_and_goes_on(discs, finished, tmp_path):
    run = killed(discs, tmp_path, 6, "SIGINT")
    assert (run.record.state, run.record.epochs_done) == ("interrupted", 1)
    resume(run)
    assert_same_weights(run, finished)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_cleanly_when_it_is_told_to(discs, tmp_path, sent):
    command: list[Any] = [
        sys.executable, "-m", "tinyseg", "train", "--model", "ul-vm-unet", "--data", discs,
        "--size", SIZE, "--epochs", 999, "--threads", 1, "--runs", tmp_path, "--name", "x",
    ]  # fmt: skip
    with subprocess.Popen([*map(str, command)], stderr=subprocess.PIPE, text=True) as training:
        assert training.stderr is not None
        next(line for line in training.stderr if line.startswith("Training"))
        training.send_signal(sent)
        said = training.stderr.read()
    assert training.returncode == 130, said
    assert said.endswith("Interrupted.\n")
    assert Run.open("x", tmp_path).record.state == "interrupted"


def test_a_finished_run_is_not_resumed(finished):
    with pytest.raises(TinysegError, match="is finished, after 3 epochs"):
        resume(finished)


def test_changed_data_are_not_resumed(tmp_path):
    folder = draw_discs(tmp_path / "data")
    run = killed(folder, tmp_path / "runs", 6)
    (folder / "images" / "03.png").unlink()
    with pytest.raises(TinysegError, match=r"other pictures than when .* began, such as 03"):
        resume(run)


def test_a_loss_that_is_no_number_ends_the_training_in_a_sentence(discs, tmp_path):
    """Two epochs suffice: the first explodes, and no weights of it are kept."""
    with pytest.raises(TinysegError, match=r"loss became (nan|inf) in epoch \d"):
        train(
            "unet", str(discs), QUICK.model_copy(update={"lr": 1e30}), arguments=NARROW,
            runs=tmp_path,
        )  # fmt: skip
    (run,) = Run.all(tmp_path)
    assert run.record.state == "failed"
    assert "loss became" in (run.record.error or "")


def test_patience_ends_a_training_that_no_longer_improves(discs, tmp_path, monkeypatch):
    """With a learning rate of zero no epoch beats the first, whose weights alone are kept."""
    kept: list[Path] = []
    monkeypatch.setattr(
        "tinyseg.training.recorder.save_file",
        lambda weights, path: (kept.append(path), save_file(weights, path)),
    )
    still = {"lr": 0.0, "epochs": 9, "patience": 2, "augment": []}
    run = train("ul-vm-unet", str(discs), QUICK.model_copy(update=still), runs=tmp_path)
    record = run.record
    assert (record.epochs_done, record.stopped_early) == (3, True)
    assert record.best is not None
    assert record.best.epoch == 1
    assert len(kept) == 1


@pytest.mark.parametrize("loss", ["dice", "bce-dice"])
def test_a_small_network_learns_discs(discs, tmp_path, loss):
    protocol = QUICK.model_copy(update={"loss": loss, "epochs": 12, "augment": ["flip"]})
    run = train("unet", str(discs), protocol, arguments=NARROW, runs=tmp_path)
    evaluation = run.evaluation
    assert evaluation is not None
    assert evaluation.dice.per_image.mean > 0.8
    assert evaluation.dice.per_image.mean > evaluation.baselines["everything"].per_image.mean + 0.3
    assert evaluation.dice.per_volume is None


def test_volumes_are_split_by_patient_or_leak_and_say_so(shared_data, tmp_path):
    """Four real patients, whose slices a split by image puts on both sides."""
    data = tmp_path / "lgg"
    data.mkdir()
    folder = shared_data / "lgg" / "kaggle_3m"
    for patient in sorted(path for path in folder.iterdir() if path.is_dir())[:4]:
        (data / patient.name).symlink_to(patient)
    short = {"epochs": 1, "validation_share": 0.25, "test_share": 0.25, "batch_size": 16}
    by_patient, by_image = (
        train(
            "unet", str(data), QUICK.model_copy(update={**short, "split": split}),
            arguments=NARROW, runs=tmp_path / "runs",
        )
        for split in ("patient", "image")
    )  # fmt: skip
    dataset = open_dataset(str(data))
    groups = [
        {dataset.group(key) for key in by_patient.split.keys(part)}
        for part in ("train", "validation", "test")
    ]
    assert [len(names) for names in groups] == [2, 1, 1]
    assert by_patient.split.leaks == []
    assert [leak.shared_groups for leak in by_image.split.leaks] == [4, 4]
    evaluation = by_patient.evaluation
    assert evaluation is not None
    assert evaluation.dice.per_volume is not None
    assert set(evaluation.baselines) == {"nothing", "everything", "threshold"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"validation_share": 0.6, "test_share": 0.6}, "leave a part empty"),
        ({"precision": "fp16", "accelerator": "cpu"}, "fp16 needs a GPU"),
    ],
)
def test_what_cannot_be_is_said_before_a_run_begins(discs, tmp_path, changes, sentence):
    with pytest.raises(UsageError, match=sentence):
        train("ul-vm-unet", str(discs), QUICK.model_copy(update=changes), runs=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_trains_and_prints_one_document(discs, tmp_path):
    common: list[Any] = [
        "--model", "unet", "--set", "base_channels=4", "--set", "depth=2", "--data", discs,
        "--size", SIZE, "--epochs", 2, "--batch-size", 8, "--threads", 1, "--runs", tmp_path,
    ]  # fmt: skip
    ended = tinyseg("train", *map(str, common), "--name", "mine", "--json")
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert (document["schema"], document["epochs"]) == (1, 2)
    assert Path(document["run"]) == tmp_path / "mine"
    assert math.isclose(
        document["evaluation"]["dice"]["pooled"], Run.open(tmp_path / "mine").evaluation.dice.pooled
    )
    assert "Training 4/4" in ended.stderr.replace("\n", " ")
    assert "images/s" in ended.stderr
    again = tinyseg("train", *map(str, common), "--name", "mine")
    assert again.returncode == 2
    assert "exists already" in again.stderr


def test_resuming_takes_no_other_options(tmp_path):
    ended = tinyseg(
        "train", "--resume", "x", "--lr", "0.1", "--size", "64", "--runs", str(tmp_path)
    )
    assert ended.returncode == 2
    assert "--size and --lr cannot change it" in ended.stderr.replace("\n", " ")
