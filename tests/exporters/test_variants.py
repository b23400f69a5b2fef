"""Precisions and variants: which files are asked for, what they are called, what they must hold."""

import hashlib

import numpy as np
import pytest

from tests.command import tinyseg
from tests.finished_runs import draw_patients, finished_run
from tinyseg.comparison import compare
from tinyseg.data import open_dataset
from tinyseg.data.cache import load_pictures
from tinyseg.errors import ParityError
from tinyseg.exporters import export, export_all, resolve
from tinyseg.profiles import profile
from tinyseg.runs import Run
from tinyseg.runs.records import ExportOptions

pytestmark = pytest.mark.usefixtures("third_party")

NAME = "one-layer-drawn-1"


@pytest.fixture
def run(third_party, tmp_path) -> Run:
    data = draw_patients(tmp_path / "data")
    return finished_run(tmp_path / "runs", NAME, str(data), "one-layer")


def test_every_format_is_written_in_every_precision_under_a_name_of_its_own(run):
    subject = resolve(str(run.path))
    records = export(subject, ["npz-rounded"], precisions=["fp32", "int8"])
    assert [record.path.rpartition("/")[2] for record in records] == [
        f"{NAME}.rounded.npz", f"{NAME}-int8.rounded.npz",
    ]  # fmt: skip
    assert [record.label for record in records] == ["npz-rounded", "npz-rounded-int8"]
    rounded = records[1]
    assert rounded.parity is not None
    assert (rounded.precision, rounded.parity.tolerance, rounded.parity.passed) == (
        "int8", None, True,
    )  # fmt: skip
    assert 20 < (rounded.parity.snr_db or 0) < 80
    by_name = {manifest.artifact.label: manifest for manifest in run.manifests}
    assert by_name["npz-rounded"].holds == {"float32": 12}
    assert by_name["npz-rounded-int8"].holds == {"int8": 3}
    assert by_name["npz-rounded-int8"].options == ExportOptions(precision="int8")
    profiles = profile(resolve(records[1].path), max_seconds=0.1).profiles
    assert [each.precision for each in profiles] == ["int8"]
    (row,) = compare([run]).rows
    assert row["npz-rounded-int8_kb"] == rounded.bytes / 1000
    assert row["npz-rounded-int8_ms"] == profiles[0].latency_ms.p50
    assert row["npz-rounded_ms"] is None


def test_calibration_takes_training_pictures_alone_and_says_which(run):
    subject = resolve(str(run.path))
    (record,) = export(subject, ["npz-rounded"], precisions=["int8"], calibration_images=5)
    (manifest,) = run.manifests
    drawn = manifest.calibration
    assert drawn is not None
    assert (drawn.images, drawn.seed) == (5, subject.seed)
    assert drawn.source.endswith(", train")
    assert run.record.data is not None
    train = sorted(run.split.train)
    pictures = load_pictures(open_dataset(run.record.data.source), train, 64)
    inputs = subject.preprocessing.normalise(pictures.images)
    order = np.sort(np.random.default_rng(0).permutation(len(train))[:5])
    expected = inputs[order]
    assert drawn.sha256 == hashlib.sha256(expected.tobytes()).hexdigest()
    np.testing.assert_array_equal(np.load(record.path)["seen"], expected.mean((0, 2, 3)))


def test_a_file_that_does_not_hold_its_precision_fails_and_does_not_carry_the_good_name(run):
    outcome = export_all(resolve(str(run.path)), ["npz-rounded"], precisions=["int8-full", "fp32"])
    (failure,) = outcome.failures
    assert (failure.stage, failure.label) == ("contents", "npz-rounded-int8-full")
    assert failure.reason == "int8-full was asked for, and the weights are float32: no int8."
    assert sorted(path.name for path in run.artifacts.iterdir()) == [
        f"{NAME}.npz-rounded-int8-full.failure.json",
        f"{NAME}.rounded.npz",
        f"{NAME}.rounded.npz.json",
    ]
    (row,) = compare([run]).rows
    assert row["npz-rounded-int8-full_problem"] == f"precision: {failure.reason}"
    with pytest.raises(ParityError, match="int8-full was asked for"):
        outcome.require()


def test_a_file_that_scores_less_fails(run, monkeypatch):
    from tinyseg.exporters import parity, proof

    strict = {**parity.GATES, "int8": parity.Gate(None, 20, -1.0)}  # better by 1 is asked for
    monkeypatch.setattr(proof, "GATES", strict)
    outcome = export_all(resolve(str(run.path)), ["npz-rounded"], precisions=["int8"])
    (record,) = outcome.artifacts
    assert record.path.endswith(".failed")
    (failure,) = outcome.failures
    assert failure.stage == "accuracy"
    assert failure.reason.startswith("it scores ")


def test_an_option_goes_to_the_formats_that_know_it(run):
    subject = resolve(str(run.path))
    options = ExportOptions(layout="nhwc")
    records = export(subject, ["npz-rounded", "npz-file"], options=options, evaluate=False)
    assert [record.variant for record in records] == ["nhwc", ""]
    layouts = {each.artifact.label: each.contents.input for each in run.manifests}
    assert layouts["npz-rounded-nhwc"].shape == [1, 64, 64, 3]
    assert layouts["npz-rounded-nhwc"].layout == "NHWC"
    assert layouts["npz-file"].shape == [1, 3, 64, 64]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--precision", "int8"], "npz-file is not written in int8. Mend: It is in fp32."),
        (["--precision", "int7"], "'int7' is no precision. Mend: There are: fp32, fp16, int8-w"),
        (["--precision", ","], "--precision ',' should name one or more, separated by commas"),
        (["--layout", "nhwc"], "--layout nhwc means nothing to npz-file. Mend: Leave it out."),
        (["--dynamic"], "--dynamic means nothing to npz-file."),
        (["--opset", "18"], "--opset 18 means nothing to npz-file."),
    ],
)
def test_what_a_format_does_not_know_is_refused(arguments, sentence, tmp_path):
    done = tinyseg("export", "one-layer", "--format", "npz-file", *arguments, cwd=tmp_path)
    assert sentence in " ".join(done.stderr.split())
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
