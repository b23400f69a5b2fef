"""Rows over runs: what they hold, which are kept, in which order, and which nothing beats."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from tests.comparison.run_folders import (
    KEYS,
    counted,
    evaluated,
    exported,
    make_run,
    profiled,
)
from tinyseg.comparison import compare
from tinyseg.comparison.notes import notes
from tinyseg.comparison.pareto import front
from tinyseg.errors import TinysegError, UsageError
from tinyseg.evaluation import read_table
from tinyseg.runs import Run
from tinyseg.runs.records import FailureRecord


@pytest.fixture
def runs(tmp_path) -> list[Run]:
    """Three comparable runs and one of other data, everything done with the first."""
    first = counted(evaluated(make_run(tmp_path, "tiny-1", 40_000), 0.7), 5_000_000)
    exported(exported(first, "onnx"), "tflite", passed=False)
    profiled(profiled(first, "torch", "weights/best.safetensors", 7.0), "litert", "x.tflite", 1.0)
    profiled(first, "onnxruntime", "tiny-1.onnx", 3.0)
    return [
        first,
        evaluated(make_run(tmp_path, "wide-1", 900_000), 0.9, seed=1),
        evaluated(make_run(tmp_path, "poor-1", 950_000), 0.4, seed=2),
        evaluated(make_run(tmp_path, "else-1", 950_000, source="lgg:/data/lgg-jpeg"), 0.5, seed=3),
    ]


def names(document) -> list[str]:
    return [row["run"] for row in document.rows]


def test_a_row_is_flat_and_has_what_the_folder_holds(runs):
    row = next(row for row in compare(runs).rows if row["run"] == "tiny-1")
    assert all(isinstance(value, str | int | float | bool | None) for value in row.values())
    evaluation = runs[0].evaluation
    assert evaluation is not None
    assert evaluation.dice.per_volume is not None
    assert row["dice"] == evaluation.dice.per_volume.mean
    assert (row["dice_low"], row["dice_high"]) == evaluation.dice.per_volume.ci95
    assert (row["dice_image"], row["dice_pooled"]) == (
        evaluation.dice.per_image.mean, evaluation.dice.pooled,
    )  # fmt: skip
    assert row | {
        "network": "tiny", "parameters": 40_000, "macs": 5_000_000, "size": 128,
        "measure": "per_volume", "split": "patient", "seed": 0, "state": "finished",
        "onnx_kb": 250, "onnx_state": "passed", "onnx_dice": 0.7, "onnx_ms": 3.0,
        "onnx_peak_mb": 12.5, "onnx_threads": 1, "onnx_machine": "cpu: Tester, 2 cores",
        "onnx_trusted": True, "tflite_kb": None, "tflite_state": "failed", "tflite_ms": None,
        "torch_ms": 7.0, "problem": None, "against": None,
    } == row  # fmt: skip


def test_every_row_has_every_column_and_missing_is_none(runs):
    rows = compare(runs).rows
    assert all(row.keys() == rows[0].keys() for row in rows)
    assert next(row for row in rows if row["run"] == "wide-1")["onnx_kb"] is None


def test_by_default_comparable_runs_stand_together_the_best_first(runs):
    assert names(compare(runs)) == ["else-1", "wide-1", "tiny-1", "poor-1"]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("parameters", ["tiny-1", "wide-1", "poor-1", "else-1"]),
        ("dice", ["wide-1", "tiny-1", "else-1", "poor-1"]),
        ("run", ["else-1", "poor-1", "tiny-1", "wide-1"]),
        ("onnx_ms", ["tiny-1", "wide-1", "poor-1", "else-1"]),
    ],
)
def test_sorted_by_a_column_the_best_stands_first_and_the_missing_last(runs, sort, order):
    assert names(compare(runs, sort=sort)) == order


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        (["parameters<900000"], {"tiny-1"}),
        (["parameters<=900,000"], {"tiny-1", "wide-1"}),
        (["parameters >= 900000", "dice>0.45"], {"wide-1", "else-1"}),
        (["run=poor-1"], {"poor-1"}),
        (["network!=tiny"], {"wide-1", "poor-1", "else-1"}),
        (["data=lgg-jpeg"], {"else-1"}),
        (["data=lgg:/data/lgg-jpeg"], {"else-1"}),
        (["data!=lgg-jpeg"], {"tiny-1", "wide-1", "poor-1"}),
        (["onnx_kb<1000"], {"tiny-1"}),
        (["onnx_kb!=1"], {"tiny-1"}),
        (["pareto=yes"], {"tiny-1", "wide-1", "else-1"}),
        (["onnx_trusted=yes"], {"tiny-1"}),
        (["parameters>1e6"], set()),
    ],
)
def test_conditions_keep_rows(runs, where, kept):
    assert set(names(compare(runs, where=where))) == kept


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"where": ["parameter<3"]}, "No column is called 'parameter'. Did you mean 'parameters'"),
        ({"where": ["parameters"]}, "should be a column, a comparison and a value"),
        ({"where": ["parameters<small"]}, "small should be a number"),
        ({"where": ["network<unet"]}, "network is text, which is only = or !="),
        ({"sort": "dise"}, "Did you mean 'dice'"),
        ({"sort": "zzz"}, "There are: run, network, parameters"),
    ],
)
def test_conditions_and_columns_that_cannot_be_meant(runs, changes, sentence):
    with pytest.raises(UsageError) as caught:
        compare(runs, **changes)
    assert sentence in str(caught.value)


def test_the_front_by_brute_force():
    """With ties in both, which must not throw each other out."""
    random = np.random.default_rng(0)
    for _ in range(50):
        points = [tuple(map(float, point)) for point in random.integers(0, 6, (12, 2))]
        expected = [True] * len(points)
        for one, other in itertools.permutations(range(len(points)), 2):
            better = points[other][0] > points[one][0] or points[other][1] < points[one][1]
            worse = points[other][0] < points[one][0] or points[other][1] > points[one][1]
            if better and not worse:
                expected[one] = False
        assert front(points) == expected


def test_the_front_is_taken_among_comparable_runs_whatever_is_kept(runs):
    document = compare(runs, where=["run!=wide-1"])
    assert {row["run"]: row["pareto"] for row in document.rows} == {
        "tiny-1": True, "poor-1": False, "else-1": True,
    }  # fmt: skip


def test_differences_are_paired_over_volumes(runs):
    """By hand: Dice of each volume of both runs, subtracted; the interval from fresh draws."""
    rows = {row["run"]: row for row in compare(runs[:3], against=runs[0]).rows}
    ours, theirs = (_volume_dice(run) for run in (runs[1], runs[0]))
    row = rows["wide-1"]
    assert row["against"] == "tiny-1"
    assert row["difference"] == pytest.approx((ours - theirs).mean())
    random = np.random.default_rng(7)
    draws = random.choice(ours - theirs, (20_000, len(ours))).mean(axis=1)
    low, high = np.percentile(draws, (2.5, 97.5))
    assert row["difference_low"] == pytest.approx(low, abs=0.003)
    assert row["difference_high"] == pytest.approx(high, abs=0.003)
    assert rows["poor-1"]["difference_high"] < 0 < row["difference_low"]
    assert rows["tiny-1"]["difference"] == 0


def test_runs_tested_on_other_pictures_are_not_subtracted(runs, tmp_path):
    other = evaluated(make_run(tmp_path, "moved-1", 1), 0.5, keys=KEYS[:-1])
    with pytest.raises(TinysegError, match="moved-1 and tiny-1 were tested on different pictures"):
        compare([*runs, other], against=runs[0])


def test_a_reference_without_evaluation_is_told(runs, tmp_path):
    bare = make_run(tmp_path, "bare-1", 1)
    with pytest.raises(TinysegError, match=r"bare-1 was not evaluated.* tinyseg evaluate"):
        compare(runs, against=bare)


def test_unfinished_and_unreadable_runs_are_there(runs, tmp_path):
    running = make_run(tmp_path, "going-1", 5, state="running")
    failed = make_run(tmp_path, "fell-1", 5, state="failed", error="The loss was no number.")
    foreign = make_run(tmp_path, "foreign-1", 5)
    (foreign.path / "run.json").write_text("{")
    torn = evaluated(make_run(tmp_path, "torn-1", 5), 0.9)
    (torn.path / "evaluation.json").write_text('{"schema": 1}')
    rows = {row["run"]: row for row in compare([*runs, running, failed, foreign, torn]).rows}
    assert rows["going-1"]["state"] == "running"
    assert (rows["fell-1"]["state"], rows["fell-1"]["problem"]) == (
        "failed", "The loss was no number.",
    )  # fmt: skip
    for name, file in (("foreign-1", "run.json"), ("torn-1", "evaluation.json")):
        assert rows[name]["state"] == "unreadable"
        assert file in rows[name]["problem"]
        assert not rows[name]["pareto"]


@pytest.mark.parametrize("passed", [True, False])
def test_the_latest_artifact_of_a_format_counts(tmp_path, passed):
    run = evaluated(make_run(tmp_path, "tiny-1", 1), 0.7)
    exported(run, "onnx", passed=not passed, created="2025-01-01T00:00:00+00:00")
    exported(run, "onnx", passed=passed, created="2025-01-01T00:00:01+00:00")
    (row,) = compare([run]).rows
    assert (row["onnx_state"], row["onnx_kb"]) == (("passed", 250) if passed else ("failed", None))


def test_a_failure_after_a_good_file_counts_until_the_next_good_one(tmp_path):
    run = evaluated(make_run(tmp_path, "tiny-1", 1), 0.7)
    exported(run, "onnx", created="2025-01-01T00:00:00+00:00")
    failure = FailureRecord(
        run=run.name, format="onnx", precision="fp32", stage="convert", reason="No such operator.",
        versions={}, created="2025-01-01T00:00:00+00:00",
    )  # fmt: skip
    run.write("artifacts/tiny-1.onnx.failure.json", failure)
    (row,) = compare([run]).rows
    assert (row["onnx_state"], row["onnx_kb"], row["onnx_dice"]) == ("failed", None, None)
    assert row["onnx_problem"] == "conversion: No such operator."
    assert notes([row], ["onnx_kb"])[-1] == "tiny-1: ONNX failed at conversion: No such operator."
    exported(run, "onnx", created="2025-01-01T00:00:01+00:00")
    (row,) = compare([run]).rows
    assert (row["onnx_state"], row["onnx_kb"], row["onnx_problem"]) == ("passed", 250, None)
    assert not any("ONNX" in note for note in notes([row], ["onnx_kb"]))


def test_single_pictures_at_the_fewest_threads_count(tmp_path):
    run = exported(evaluated(make_run(tmp_path, "tiny-1", 1), 0.7), "onnx")
    for threads, p50 in ((2, 2.0), (1, 4.0)):
        profiled(run, "onnxruntime", "tiny-1.onnx", p50, threads=threads)
    profiled(run, "torch", "weights/best.safetensors", 9.0, batch=8, threads=4)
    (row,) = compare([run]).rows
    assert (row["onnx_ms"], row["onnx_threads"]) == (4.0, 1)
    assert row["torch_ms"] is None


def test_comparison_brings_no_torch(runs):
    program = f"""
import sys
from pathlib import Path
from tinyseg import comparison
from tinyseg.runs import Run
from tinyseg.runs.records import FailureRecord
runs = Run.all(Path({str(runs[0].path.parent)!r}))
document = comparison.compare(runs, against=Run(Path({str(runs[0].path)!r})))
assert len(document.rows) == 4
comparison.plot(document, Path({str(runs[0].path.parent / "figure.png")!r}))
print({{"torch", "lightning", "kornia", "scipy"}} & set(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout == "set()\n", done.stderr


def _volume_dice(run: Run) -> np.ndarray:
    table = read_table(run.path / "evaluation.csv")
    dice = []
    for volume in sorted(set(table.groups)):
        rows = [row for row, group in enumerate(table.groups) if group == volume]
        tp, fp, fn = (counts[0, rows].sum() for counts in table[2:])
        dice.append(2 * tp / (2 * tp + fp + fn))
    return np.array(dice)
