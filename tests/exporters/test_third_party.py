"""Somebody else's exporter, good, wrong and crashing, through the command.

Its networks are one layer, so that what is tested here is all there is.
"""

import numpy as np
import pytest

from tests.command import tinyseg
from tests.finished_runs import draw_patients, finished_run
from tinyseg.comparison import compare
from tinyseg.comparison.notes import notes
from tinyseg.errors import ChildError, ParityError, TinysegError
from tinyseg.exporters import export, export_all, resolve
from tinyseg.exporters.base import AS_USUAL
from tinyseg.exporters.outcome import StageError, failure_of, keep_failure
from tinyseg.profiles import profile
from tinyseg.runs import Run
from tinyseg.runs.records import ExportDocument

pytestmark = pytest.mark.usefixtures("third_party")

NAME = "one-layer-drawn-1"


@pytest.fixture
def run(third_party, tmp_path) -> Run:
    data = draw_patients(tmp_path / "data")
    return finished_run(tmp_path / "runs", NAME, str(data), "one-layer")


def names(run: Run) -> list[str]:
    return sorted(path.name for path in run.artifacts.iterdir())


def test_its_files_are_proved_like_any_other(run):
    (record,) = export(resolve(str(run.path)), ["npz-file"])
    assert names(run) == [f"{NAME}.npz", f"{NAME}.npz.json"]
    assert record.parity is not None
    assert record.accuracy is not None
    assert record.parity.passed
    assert record.accuracy.dice == pytest.approx(record.accuracy.run_dice)
    subject = resolve(record.path)
    assert subject.run is not None
    inputs = np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype(np.float32)
    expected = resolve(str(run.path)).predictor()(inputs)
    np.testing.assert_allclose(subject.predictor()(inputs), expected, atol=1e-5)


def test_its_runtime_is_profiled_on_this_processor_and_compared(run):
    export(resolve(str(run.path)), ["npz-file"], evaluate=False)
    ours, theirs = profile(resolve(str(run.path)), max_seconds=0.2).profiles
    assert (ours.runtime, theirs.runtime) == ("torch", "numpy")
    assert theirs.versions["numpy"] == np.__version__
    assert theirs.artifact == f"{NAME}.npz"
    assert len(theirs.samples_ms) > 5
    assert (run.path / "profiles" / "cpu-numpy-fp32-t1.json").is_file()
    (row,) = compare([run], where=["npz-file_kb<100"]).rows
    assert row["npz-file_ms"] == theirs.latency_ms.p50


def test_a_wrong_file_never_gets_the_good_name(run):
    done = tinyseg("export", run.path, "--format", "npz-wrong", "--json")
    assert done.returncode == 3
    assert f"{NAME}.npz.failed failed parity" in done.stderr
    assert "Written to" not in done.stderr
    (record,) = ExportDocument.model_validate_json(done.stdout).artifacts
    assert record.parity is not None
    assert not record.parity.passed
    assert record.parity.max_abs > record.parity.tolerance
    assert names(run) == [
        f"{NAME}.npz-wrong.failure.json", f"{NAME}.npz.failed", f"{NAME}.npz.failed.json",
    ]  # fmt: skip
    (manifest,) = run.manifests
    assert manifest.artifact.parity == record.parity

    profiled = profile(resolve(str(run.path)), max_seconds=0.2).profiles
    assert [record.runtime for record in profiled] == ["torch"]
    (row,) = compare([run]).rows
    assert (row["npz-wrong_state"], row["npz-wrong_kb"]) == ("failed", None)

    export(resolve(str(run.path)), ["npz-file"], evaluate=False)
    assert names(run) == [f"{NAME}.npz", f"{NAME}.npz-wrong.failure.json", f"{NAME}.npz.json"]


def test_a_file_that_answers_no_numbers_fails_and_hinders_no_other(run):
    outcome = export_all(resolve(str(run.path)), ["npz-nan", "onnx"], evaluate=False)
    nan, good = outcome.artifacts
    assert nan.parity is not None
    assert (nan.parity.passed, nan.parity.max_abs) == (False, 1)
    assert good.parity is not None
    assert good.parity.passed
    assert f"{NAME}.onnx" in names(run)
    assert f"{NAME}.npz" not in names(run)


def test_a_runtime_that_crashes_leaves_no_file_but_the_reason(run):
    with pytest.raises(ChildError, match=r"numpy, running .*npz, was ended by signal SIGABRT"):
        export(resolve(str(run.path)), ["npz-crash"])
    assert names(run) == [f"{NAME}.npz-crash.failure.json"]
    (failure,) = run.failures
    assert (failure.run, failure.format, failure.stage) == (NAME, "npz-crash", "run")
    assert "was ended by signal SIGABRT" in failure.reason
    assert failure.created.startswith("20")
    assert "torch" in failure.versions
    assert run.manifests == []


def test_failures_hinder_no_other_format_and_end_the_command(run):
    formats = "npz-crash,npz-file,npz-wrong"
    done = tinyseg("export", run.path, "--format", formats, "--no-evaluate", "--json")
    assert done.returncode == 3
    document = ExportDocument.model_validate_json(done.stdout)
    assert [record.format for record in document.artifacts] == ["npz-file", "npz-wrong"]
    assert [(each.format, each.stage) for each in document.failures] == [
        ("npz-crash", "run"), ("npz-wrong", "parity"),
    ]  # fmt: skip
    said = " ".join(done.stderr.split())
    assert "was ended by signal SIGABRT" in said
    assert f"{NAME}.npz.failed failed parity" in said
    assert f"Written to {run.artifacts}" in said
    assert run.failures == document.failures
    crash = tinyseg("export", run.path, "--format", "npz-crash,npz-file", "--no-evaluate")
    assert crash.returncode == 1
    assert "npz-crash failed (run): numpy, running" in crash.stdout
    assert f"{NAME}.npz" in crash.stdout


def test_compare_shows_failures_with_their_reasons(run):
    outcome = export_all(resolve(str(run.path)), ["npz-wrong", "npz-crash"], evaluate=False)
    assert [type(error) for error in outcome.errors] == [ParityError, ChildError]
    document = compare([run])
    (row,) = document.rows
    assert (row["npz-crash_state"], row["npz-crash_kb"]) == ("failed", None)
    assert row["npz-crash_problem"].startswith("running: numpy, running")
    assert row["npz-wrong_problem"].startswith("parity: probabilities differ by up to")
    said = notes(document.rows, ["run"])
    assert any(each.startswith(f"{NAME}: npz-wrong failed at parity: prob") for each in said)
    assert any("SIGABRT" in each for each in said)


def test_a_later_success_removes_the_failure(run):
    subject = resolve(str(run.path))
    fell = StageError("convert", TinysegError("It fell."))
    crashed = StageError("run", TinysegError("It crashed."))
    keep_failure(run.artifacts, subject, failure_of(subject, "npz-file", AS_USUAL, fell))
    keep_failure(run.artifacts, subject, failure_of(subject, "npz-crash", AS_USUAL, crashed))
    (row,) = compare([run]).rows
    assert (row["npz-file_state"], row["npz-file_problem"]) == ("failed", "conversion: It fell.")
    export(subject, ["npz-file"], evaluate=False)
    assert [failure.format for failure in run.failures] == ["npz-crash"]
    (row,) = compare([run]).rows
    assert (row["npz-file_state"], row["npz-file_problem"]) == ("passed", None)


def test_an_export_to_elsewhere_leaves_the_run_alone(run, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ChildError):
        export(resolve(str(run.path)), ["npz-crash"], out=out)
    assert list(out.iterdir()) == []
    assert run.failures == []


def test_a_network_it_does_not_support_is_told_before_anything_is_done(tmp_path):
    with pytest.raises(TinysegError, match="unet cannot be exported to npz-file: only a single"):
        export(resolve("unet"), ["onnx", "npz-file"], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_network_that_no_exporter_can_follow_gives_the_reason(tmp_path):
    reason = "conversion of branching to onnx failed .*Could not guard on data-dependent expression"
    with pytest.raises(ChildError, match=reason):
        export(resolve("branching", size=32), ["onnx"], out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_fresh_weights_are_proved_on_phantom_pictures(tmp_path):
    (record,) = export(resolve("one-layer", size=64), ["npz-file"], out=tmp_path)
    assert record.accuracy is None
    assert record.parity is not None
    assert (record.parity.passed, record.parity.images) == (True, 64)
