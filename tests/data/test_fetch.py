"""Fetching, with a stand-in for kagglehub in a process of its own: no network."""

import os

import pytest

from tests.command import tinyseg

KAGGLEHUB = """
import os
from pathlib import Path

def dataset_download(handle, **options):
    print("Downloading", handle)
    if os.environ["ANSWER"] == "offline":
        raise OSError("Name or service not known\\nand more lines")
    folder = Path(os.environ["CACHE"]) / handle
    patient = folder / "kaggle_3m" / "TCGA_X"
    if os.environ["ANSWER"] == "other":
        patient = folder / "something"
    patient.mkdir(parents=True, exist_ok=True)
    from PIL import Image
    for name in ("TCGA_X_1.tif", "TCGA_X_1_mask.tif"):
        Image.new("L", (8, 8), 255).save(patient / name)
    (folder / "lgg-mri-segmentation" / "kaggle_3m").mkdir(parents=True, exist_ok=True)
    return str(folder)
"""


@pytest.fixture
def fetch(tmp_path):
    """Runs ``tinyseg data fetch`` with a kagglehub that answers as told."""

    def run(answer, *options):
        package = tmp_path / "packages" / "kagglehub"
        package.mkdir(parents=True, exist_ok=True)
        missing = "raise ImportError('no kagglehub here')"
        (package / "__init__.py").write_text(missing if answer == "missing" else KAGGLEHUB)
        path = os.pathsep.join([str(package.parent), os.environ.get("PYTHONPATH", "")])
        return tinyseg(
            "data", "fetch", "lgg", *options,
            environment={"PYTHONPATH": path, "ANSWER": answer, "CACHE": str(tmp_path / "cache")},
        )  # fmt: skip

    return run


def test_it_tells_the_licence_where_the_data_is_and_what_comes_next(fetch, tmp_path):
    run = fetch("data")
    folder = f"{tmp_path}/cache/mateuszbuda/lgg-mri-segmentation"
    assert (run.returncode, run.stdout) == (0, f"{folder}\n")
    notes = " ".join(run.stderr.split())
    assert notes.index("CC BY-NC-SA 4.0") < notes.index("Downloading")
    assert "arXiv:1906.03720" in notes
    assert "tinyseg data describe" in notes
    assert "1 images; 0 errors" in tinyseg("data", "check", folder).stdout


def test_a_folder_of_ones_own_gets_the_patients_once(fetch, tmp_path):
    run = fetch("data", "--out", tmp_path / "lgg")
    assert run.returncode == 0
    assert sorted(p.name for p in (tmp_path / "lgg").rglob("*")) == [
        "TCGA_X", "TCGA_X_1.tif", "TCGA_X_1_mask.tif", "kaggle_3m",
    ]  # fmt: skip
    again = fetch("data", "--out", tmp_path / "lgg")
    assert (again.returncode, "is not empty" in again.stderr) == (1, True)
    assert "Downloading" not in again.stderr


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("missing", "pip install 'tinyseg[kaggle]'"),
        ("offline", "could not be downloaded (Name or service not known and more lines)"),
        ("other", "has no folder kaggle_3m"),
    ],
)
def test_failures_get_one_sentence_and_leave_nothing(fetch, tmp_path, answer, sentence):
    run = fetch(answer, "--out", tmp_path / "lgg")
    assert (run.returncode, run.stdout) == (1, "")
    assert sentence in " ".join(run.stderr.split())
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "lgg").exists()
    assert not list(tmp_path.glob(".lgg-*"))


def test_only_known_datasets_are_fetched():
    run = tinyseg("data", "fetch", "imagenet")
    assert (run.returncode, run.stdout) == (2, "")
    assert "lgg" in run.stderr
