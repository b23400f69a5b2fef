"""``export --check``: a file that came from anywhere, beside its run; nothing is written."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.command import tinyseg
from tests.finished_runs import draw_patients, finished_run
from tinyseg.errors import TinysegError, UsageError
from tinyseg.exporters import check, export, export_all, resolve
from tinyseg.runs import Run
from tinyseg.runs.records import ProofDocument

pytestmark = pytest.mark.usefixtures("third_party")

NAME = "one-layer-drawn-1"


@pytest.fixture
def run(third_party, tmp_path) -> Run:
    """A run of one layer, exported to a file of NumPy."""
    data = draw_patients(tmp_path / "data")
    run = finished_run(tmp_path / "runs", NAME, str(data), "one-layer")
    export(resolve(str(run.path)), ["npz-file"])
    return run


@pytest.fixture
def good(run) -> Path:
    return run.artifacts / f"{NAME}.npz"


def foreign(path: Path, **changes) -> Path:
    """A file that no tinyseg wrote, with changes of its arrays."""
    arrays = {name: value for name, value in np.load(path).items() if name != "contents"}
    arrays |= {name: change(arrays[name]) for name, change in changes.items()}
    elsewhere = path.parents[3] / "elsewhere" / "theirs.npz"
    elsewhere.parent.mkdir()
    np.savez(elsewhere, **arrays)
    return elsewhere


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    found = (path for path in folder.rglob("*") if "data" not in path.relative_to(folder).parts)
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in found}


def test_a_file_in_its_run_is_found_out_about_and_nothing_is_written(run, good, tmp_path):
    before = everything(tmp_path)
    done = tinyseg("export", "--check", good, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = ProofDocument.model_validate_json(done.stdout)
    assert json.loads(done.stdout)["schema"] == 1
    (manifest,) = run.manifests
    assert (document.passed, document.stage, document.reason) == (True, None, None)
    assert (document.format, document.runtime, document.run) == ("npz-file", "numpy", NAME)
    assert (document.described, document.sha256) == (True, manifest.sha256)
    assert document.parity == manifest.artifact.parity
    assert document.accuracy == manifest.artifact.accuracy
    assert everything(tmp_path) == before


def test_a_file_from_elsewhere_needs_its_run_and_where_files_end_alike_its_format(run, good):
    path = foreign(good)
    with pytest.raises(UsageError, match=r"formats end like theirs.npz: npz-careless, npz-cr"):
        check(path, resolve(str(run.path)))
    with pytest.raises(TinysegError, match=r"Nothing says which run .*theirs.npz is of. Say which"):
        check(path, format="npz-file")
    document = check(path, resolve(str(run.path)), format="npz-file", evaluate=False)
    assert (document.passed, document.described, document.accuracy) == (True, False, None)


def test_the_format_is_as_the_name_ends(run, tmp_path):
    (record,) = export(resolve(str(run.path)), ["onnx"], out=tmp_path / "out", evaluate=False)
    path = shutil.copy(record.path, tmp_path / "theirs.onnx.failed")
    document = check(path, resolve(str(run.path)), evaluate=False)
    assert (document.format, document.runtime, document.passed) == ("onnx", "onnxruntime", True)
    with pytest.raises(
        UsageError, match=r"No format's files end like theirs.h5: .*onnx.* --format"
    ):
        check(shutil.copy(record.path, tmp_path / "theirs.h5"), resolve(str(run.path)))


def test_the_run_is_the_one_that_the_manifest_names(run, good, tmp_path):
    for path in (good, good.with_name(f"{good.name}.json")):
        shutil.copy(path, tmp_path)
    copy = tmp_path / good.name
    assert check(copy, runs=run.path.parent, evaluate=False).run == NAME
    with pytest.raises(TinysegError, match=f"is of the run '{NAME}', which is not in 'nowhere'"):
        check(copy, runs=Path("nowhere"))


@pytest.mark.parametrize(
    ("changes", "format_", "stage", "reason"),
    [
        ({"bias": lambda bias: bias + 0.5}, "npz-file", "parity",
         "does not do what .* does: prob.*differ by up to"),
        ({"weight": lambda weight: weight * np.nan}, "npz-file", "parity", "differ by up to 1,"),
        ({"bias": lambda bias: np.append(bias, bias), "weight": lambda w: np.repeat(w, 2, 0)},
         "npz-file", "parity", r"logits have the shape \(8, 2, 64, 64\), the network's"),
        ({"bias": lambda bias: np.zeros(0), "weight": lambda w: w[:, :2]},
         "npz-file", "run", "theirs.npz does not run: numpy, running theirs.npz"),
        ({}, "npz-crash", "run", "was ended by signal SIGABRT"),
    ],
)  # fmt: skip
def test_a_file_that_does_something_else_ends_with_code_3(
    run, good, tmp_path, changes, format_, stage, reason
):
    path = foreign(good, **changes)
    before = everything(tmp_path)
    done = tinyseg("export", "--check", path, "--run", run.path, "--format", format_, "--json")
    assert done.returncode == 3
    document = ProofDocument.model_validate_json(done.stdout)
    assert (document.passed, document.stage) == (False, stage)
    assert re.search(reason, " ".join(done.stderr.split()))
    assert document.reason
    assert "Do not ship it." in done.stderr
    assert everything(tmp_path) == before


def test_a_file_kept_as_failed_fails_again(run, tmp_path):
    export_all(resolve(str(run.path)), ["npz-wrong"], evaluate=False)
    done = tinyseg("export", "--check", run.artifacts / f"{NAME}.npz.failed", "--no-evaluate")
    assert done.returncode == 3
    assert f"{NAME}.npz.failed beside {NAME}" in done.stdout
    assert "passed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--check", "none.npz"), 1, "There is no file 'none.npz'"),
        (("--check", "f.npz", "unet"), 2, "--check writes nothing, so unet cannot be meant"),
        (("--check", "f.npz", "--out", "o"), 2, "so --out o cannot be meant. Mend: Use --run RUN."),
        (("unet", "--run", "r"), 2, "--run says which run --check's file is of"),
        (("--check", "f.npz", "--run", "r"), 2, "'r' is no run"),
        (("--check", "f.npz", "--format", "onnx,tflite"), 2, "has one format, not onnx and tflite"),
        (("--check", "f.npz", "--size", "32"), 2, "The run of f.npz has its own shape. Mend"),
        (("--check", "f.npz", "--run", "unet", "--from", "a:b"), 2, "are two networks"),
    ],
)
def test_mistakes_get_one_sentence(tmp_path, arguments, code, sentence):
    (tmp_path / "f.npz").touch()
    done = tinyseg("export", *arguments, cwd=tmp_path)
    assert sentence in " ".join(done.stderr.split())
    assert (done.returncode, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr
