"""`tinyseg evaluate` as users meet it, its figures computed again in plain NumPy."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.command import tinyseg
from tests.finished_runs import THRESHOLD, draw_patients
from tinyseg.cli.trained import resolve_trained
from tinyseg.errors import UsageError
from tinyseg.evaluation import read_table
from tinyseg.networks import load_network
from tinyseg.runs import Run
from tinyseg.runs.records import Leak, SegmentationEvaluation

NAME = "unet-drawn-1"


@pytest.fixture
def run(finished_runs, tmp_path) -> Run:
    """A run of one's own that was not evaluated yet."""
    folder = Path(shutil.copytree(finished_runs / NAME, tmp_path / "runs" / NAME))
    for name in ("evaluation.json", "evaluation.csv"):
        (folder / name).unlink()
    return Run(folder)


def evaluate(*arguments: object) -> tuple[SegmentationEvaluation, str]:
    """The document on standard output, and standard error as one line."""
    done = tinyseg("evaluate", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return SegmentationEvaluation.model_validate_json(done.stdout), " ".join(done.stderr.split())


def counted_by_hand(run: Run) -> dict[str, list[np.ndarray]]:
    """Pixels found, wrong and missed of each test picture, by patient; from the picture files."""
    record = run.record
    network, folder = load_network(run), Path(record.data.source.partition(":")[2])
    size = (record.preprocessing.size,) * 2
    counts: dict[str, list[np.ndarray]] = {}
    for key in run.split.test:
        patient = key.rpartition("_")[0]
        picture = Image.open(folder / patient / f"{key}.png").resize(
            size, Image.Resampling.BILINEAR
        )
        mask = Image.open(folder / patient / f"{key}_mask.png").resize(size, Image.Resampling.BOX)
        true = np.asarray(mask) >= 128
        values = np.asarray(picture) / 255
        values = (values - record.preprocessing.mean) / record.preprocessing.std
        tensor = torch.tensor(values.transpose(2, 0, 1)[None], dtype=torch.float32)
        with torch.no_grad():
            logits = network(tensor)[0, 0].double().numpy()
        found = 1 / (1 + np.exp(-logits)) >= THRESHOLD
        sums = [(found & true).sum(), (found & ~true).sum(), (true & ~found).sum()]
        counts.setdefault(patient, []).append(np.array(sums))
    return counts


def dice_by_hand(tp: float, fp: float, fn: float) -> float:
    return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 1.0


def test_figures_are_those_of_plain_numpy(run):
    record, _ = evaluate(run.path)
    counts = counted_by_hand(run)
    images = [image for patient in counts.values() for image in patient]
    tp, fp, fn = sum(images)
    assert tp > 100
    assert record.dice.per_volume is not None
    assert record.dice.per_volume.mean == pytest.approx(
        np.mean([dice_by_hand(*sum(patient)) for patient in counts.values()]), abs=1e-3
    )
    assert record.dice.per_image.mean == pytest.approx(
        np.mean([dice_by_hand(*image) for image in images]), abs=1e-3
    )
    assert record.dice.pooled == pytest.approx(dice_by_hand(tp, fp, fn), abs=1e-3)
    assert record.iou.pooled == pytest.approx(tp / (tp + fp + fn), abs=1e-3)
    everything = dice_by_hand(tp + fn, len(images) * 64 * 64 - tp - fn, 0)
    assert record.baselines["everything"].pooled == pytest.approx(everything)
    assert record.baselines["nothing"].per_image.mean == np.mean([not i[0] + i[2] for i in images])
    assert (record.images, record.groups, record.size) == (len(images), len(counts), 64)
    assert (record.subject, record.split, record.threshold) == (NAME, "test", THRESHOLD)


def test_a_runs_own_test_part_is_kept_in_the_run(run):
    record, said = evaluate(run.path)
    assert run.evaluation == record
    assert read_table(run.path / "evaluation.csv").keys == run.split.test
    assert "Written to" in said


@pytest.mark.parametrize(
    "options",
    [("--split", "validation"), ("--data", "DATA"), ("--threshold", "0.3")],
    ids=["another part", "other data", "another threshold"],
)
def test_nothing_else_is_kept(run, tmp_path, options):
    data = draw_patients(tmp_path / "data", patients=2)
    _, said = evaluate(run.path, *(str(data) if word == "DATA" else word for word in options))
    assert run.evaluation is None
    assert not (run.path / "evaluation.csv").exists()
    assert "Written" not in said


def test_a_run_that_is_still_training_is_scored_but_left_alone(run):
    run.write("run.json", run.record.model_copy(update={"state": "running"}))
    _, said = evaluate(run.path)
    assert "The run is running after 1 of 1 epochs; these are its best weights so far." in said
    assert run.evaluation is None


def test_leaks_and_pictures_known_from_training_are_told(run):
    leak = Leak(part="test", groups=5, shared_groups=4, neighbour_dice_median=0.81, pictures=9)
    run.write("split.json", run.split.model_copy(update={"leaks": [leak]}))
    _, said = evaluate(run.path)
    assert "Leak: 4 of the 5 groups in the test part also train" in said
    assert "a median Dice of 0.81" in said
    _, said = evaluate(run.path, "--split", "all")
    known = len(run.split.train)
    assert f"{known} of the {run.record.data.images} pictures have the names of pictures" in said
    assert "Leak" not in said


@pytest.mark.parametrize("format_", ["onnx", "tflite"])
def test_an_exported_file_scores_as_its_run_does(runs, format_):
    run = Run(runs / NAME)
    own = run.evaluation
    assert own is not None
    kept = (run.path / "evaluation.json").read_bytes()
    artifact = run.path / "artifacts" / f"{NAME}.{format_}"
    record, _ = evaluate(artifact)
    assert record.subject == artifact.name
    assert record.dice.pooled == pytest.approx(own.dice.pooled, abs=2e-4)
    assert record.dice.per_image.mean == pytest.approx(own.dice.per_image.mean, abs=2e-3)
    assert record.baselines == own.baselines
    assert (run.path / "evaluation.json").read_bytes() == kept


def test_an_exported_file_far_from_its_run_needs_data(exported_runs, tmp_path):
    for path in (exported_runs / NAME / "artifacts").glob("*.onnx*"):
        shutil.copy(path, tmp_path)
    artifact = tmp_path / f"{NAME}.onnx"
    done = tinyseg("evaluate", artifact)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nobody knows its data" in done.stderr
    data = draw_patients(tmp_path / "data", patients=2)
    record, _ = evaluate(artifact, "--data", data)
    assert (record.images, record.split, record.threshold) == (8, "all", THRESHOLD)


def test_the_table_fits_a_terminal_and_says_what_it_means(run):
    done = tinyseg("evaluate", run.path, environment={"COLUMNS": "80"})
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    row = next(line.split() for line in lines if line.split()[:1] == ["Dice"])
    assert run.evaluation is not None
    scores = run.evaluation.dice
    assert scores.per_volume is not None
    assert [float(row[1]), float(row[5]), float(row[9])] == pytest.approx(
        [scores.per_volume.mean, scores.per_image.mean, scores.pooled], abs=5e-5
    )
    assert [float(row[2]), float(row[4])] == pytest.approx(scores.per_volume.ci95, abs=5e-4)
    text = " ".join(done.stdout.split())
    for words in (
        "1 where mask and prediction are both empty, 0 where only one is",
        "bootstrap over groups",
        "pixels counted at 64x64, threshold 0.45",
        "nothing marked, everything marked, a threshold",
    ):
        assert words in text


def test_fresh_weights_are_not_scored(tmp_path):
    with pytest.raises(UsageError, match="unet is a network's name"):
        resolve_trained("unet", tmp_path)
