"""Trainings of several classes and of whole pictures, from real files to exported ones."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.command import tinyseg
from tests.several_classes import heads_with_tumours, write_folder
from tinyseg import compare, export
from tinyseg.errors import UsageError
from tinyseg.evaluation import evaluate_run, network_predictor, read_table
from tinyseg.networks import build_recorded, load_network
from tinyseg.runs import Run
from tinyseg.runs.records import (
    ClassificationEvaluation,
    Protocol,
    SegmentationEvaluation,
    TrainDocument,
)
from tinyseg.training import resume, train

NARROW = {"base_channels": 8}
#: Of the 486 training pictures of the slice, as many train as can.
MOST = 0.05


@pytest.fixture(scope="session")
def two_classes(shared_data, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "heads"
    return write_folder(folder, heads_with_tumours(shared_data / "lgg", 24))


@pytest.fixture(scope="session")
def of_two_classes(two_classes, tmp_path_factory) -> Run:
    protocol = Protocol(size=64, epochs=15, batch_size=4, lr=0.02, threads=1, schedule="one-cycle")
    arguments = {"base_channels": 4, "depth": 3}
    runs = tmp_path_factory.mktemp("runs")
    return train("unet", str(two_classes), protocol, arguments=arguments, runs=runs)


@pytest.fixture(scope="session")
def of_pictures(shared_data, tmp_path_factory) -> Run:
    runs = tmp_path_factory.mktemp("runs")
    done = tinyseg(
        "train", "--model", "resnet9", "--set", "base_channels=8", "--epochs", 3, "--threads", 1,
        "--data", shared_data / "cifar100", "--json", "--runs", runs, cwd=runs,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = TrainDocument.model_validate_json(done.stdout)
    assert isinstance(document.evaluation, ClassificationEvaluation)
    assert document.best.measure == "top1"
    return Run.open(document.run)


def test_several_classes_have_a_logit_each_and_one_for_the_background(of_two_classes):
    record = of_two_classes.record
    assert record.classes == ["background", "tumour", "head"]
    assert load_network(of_two_classes)(torch.zeros(1, 3, 64, 64)).shape == (1, 3, 64, 64)


def test_several_classes_are_scored_each(of_two_classes):
    evaluation = of_two_classes.evaluation
    assert isinstance(evaluation, SegmentationEvaluation)
    tumour, head = evaluation.per_class
    assert (tumour.name, head.name) == ("tumour", "head")
    assert evaluation.dice.pooled == pytest.approx((tumour.dice.pooled + head.dice.pooled) / 2)
    everything = evaluation.baselines["everything"].pooled
    assert head.dice.pooled > 0.85 > everything  # it learnt where heads are
    assert evaluation.dice.pooled > everything
    table = read_table(of_two_classes.path / "evaluation.csv")
    assert len(table.tp) == 2


def test_files_of_several_classes_do_as_well(of_two_classes):
    for record in export(str(of_two_classes.path), ["onnx", "tflite"]):
        assert record.parity.passed
        assert record.accuracy.dice == pytest.approx(of_two_classes.evaluation.dice.per_image.mean)


def test_networks_of_one_task_refuse_data_of_the_other(two_classes, shared_data, tmp_path):
    with pytest.raises(UsageError, match=r"resnet9 is for classification, .* for segmentation"):
        train("resnet9", str(two_classes), runs=tmp_path)
    with pytest.raises(UsageError, match=r"unet is for segmentation, .* Networks .*: resnet50"):
        train("unet", str(shared_data / "cifar100"), runs=tmp_path)
    assert not list(tmp_path.iterdir())


def test_whole_pictures_are_tested_on_their_makers_part(of_pictures):
    split, record = of_pictures.split, of_pictures.record
    assert len(split.test) == 500
    assert all(key.startswith("test-") for key in split.test)
    assert len(split.validation) == round(0.15 * 486)
    assert (record.task, len(record.classes)) == ("classification", 100)
    assert (record.protocol.optimizer, record.protocol.schedule) == ("sgd", "one-cycle")


def test_whole_pictures_leave_what_masks_leave(of_pictures):
    names = {str(path.relative_to(of_pictures.path)) for path in of_pictures.path.rglob("*.*")}
    assert names >= {
        "run.json", "split.json", "history.csv", "evaluation.json", "evaluation.csv", "count.json",
        "log.txt", "weights/best.safetensors", "pictures/curves.png", "pictures/samples.png",
    }  # fmt: skip
    with (of_pictures.path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    scores = [float(row["validation_top1"]) for row in rows]
    assert {"validation_macro_f1", "train_loss"} <= rows[0].keys()
    best = of_pictures.record.best
    assert (best.epoch, best.score) == (1 + int(np.argmax(scores)), max(scores))


def test_files_for_whole_pictures_name_the_same_classes(of_pictures):
    for record in export(str(of_pictures.path), ["onnx", "tflite"]):
        assert record.parity.passed
        assert (record.accuracy.measure, record.accuracy.difference) == ("top1", 0)
    artifact = of_pictures.artifacts / f"{of_pictures.name}.onnx"
    manifest = json.loads(artifact.with_name(artifact.name + ".json").read_text())
    assert manifest["contents"]["output"]["shape"] == [1, 100]
    done = tinyseg("evaluate", artifact, "--json", cwd=of_pictures.path)
    assert done.returncode == 0, done.stderr
    found = ClassificationEvaluation.model_validate_json(done.stdout)
    assert found.top1 == of_pictures.evaluation.top1


def test_a_threshold_decides_nothing_among_several_classes(of_pictures, of_two_classes):
    for run in (of_pictures, of_two_classes):
        done = tinyseg("evaluate", run.path, "--threshold", 0.4)
        assert done.returncode == 2
        assert "the most probable wins whatever the --threshold" in " ".join(done.stderr.split())


def test_whole_pictures_are_compared_by_top_1(of_pictures):
    (row,) = compare([of_pictures]).rows
    evaluation = of_pictures.evaluation
    assert (row["top1"], row["top5"]) == (evaluation.top1.mean, evaluation.top5.mean)
    assert (row["dice"], row["pareto"]) == (None, True)


def test_a_training_of_whole_pictures_goes_on_as_if_nothing_had_been(shared_data, tmp_path):
    protocol = Protocol.for_task("classification", epochs=3, threads=1)
    data = str(shared_data / "cifar100")
    whole = train("resnet9", data, protocol, arguments={"base_channels": 4}, runs=tmp_path / "a")

    def interrupt(what: str, done: int, total: int, figures: str) -> None:
        if (what, done) == ("Training", 6):  # in the second of four batches of the second epoch
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(
            "resnet9", data, protocol, arguments={"base_channels": 4}, runs=tmp_path / "b",
            progress=interrupt,
        )  # fmt: skip
    (run,) = Run.all(tmp_path / "b")
    assert (run.record.state, run.record.epochs_done) == ("interrupted", 1)
    resume(run)
    ours, theirs = load_file(run.best_weights), load_file(whole.best_weights)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert run.evaluation == whole.evaluation.model_copy(update={"subject": run.name})


@pytest.mark.slow
@pytest.mark.parametrize(("model", "epochs", "lr"), [("resnet9", 8, 1e-3), ("vim", 14, 2e-3)])
def test_networks_learn_the_pictures_that_train_them(shared_data, tmp_path, model, epochs, lr):
    """That reading and learning work; a few hundred pictures say nothing of accuracy."""
    protocol = Protocol.for_task(
        "classification", epochs=epochs, batch_size=16, lr=lr, optimizer="adamw", weight_decay=0,
        label_smoothing=0, augment=[], validation_share=MOST,
    )  # fmt: skip
    run = train(model, str(shared_data / "cifar100"), protocol, runs=tmp_path)
    network = build_recorded(run.record)
    last = torch.load(run.last_checkpoint, weights_only=True)["state_dict"]
    network.load_state_dict({name.removeprefix("network."): last[name] for name in last})
    found = evaluate_run(run, network_predictor(network), part="train").record
    assert found.images == 462
    assert found.top1.mean > 0.9
