"""The phantom as files: what is read back is what was in memory; whole or not at all."""

import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tinyseg.data import check_data, open_dataset
from tinyseg.data.make import make_phantom
from tinyseg.errors import TinysegError

INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from tinyseg.data.make import make_phantom

def interrupt(what, done, total, figures):
    if done == 5:
        os.kill(os.getpid(), signal.SIGINT)

make_phantom(Path(sys.argv[1]), patients=2, progress=interrupt)
"""


def test_files_read_as_lgg_hold_the_phantoms_pixels(tmp_path):
    made = make_phantom(tmp_path / "files", patients=2, seed=4)
    dataset = open_dataset(str(tmp_path / "files"))
    assert (dataset.kind, dataset.keys) == ("lgg", made.keys)
    for key in list(made.keys)[::6]:
        assert np.array_equal(dataset.read(key).image, made.read(key).image)
        assert np.array_equal(dataset.read(key).labels, made.read(key).labels)
    problems = check_data(str(tmp_path / "files")).problems
    assert [problem for problem in problems if problem.severity != "note"] == []


def test_files_are_compressed_tiffs_that_others_read(tmp_path):
    made = make_phantom(tmp_path / "files", patients=1)
    key = next(key for key in made.keys if made.read(key).labels.any())
    with Image.open(tmp_path / "files" / "phantom_001" / f"{key}.tif") as picture:
        assert (picture.info["compression"], picture.mode) == ("tiff_adobe_deflate", "RGB")
        assert np.array_equal(np.asarray(picture), made.read(key).image)
    with Image.open(tmp_path / "files" / "phantom_001" / f"{key}_mask.tif") as mask:
        assert np.unique(np.asarray(mask)).tolist() == [0, 255]


def test_an_empty_folder_is_filled_and_a_full_one_refused(tmp_path):
    make_phantom(tmp_path, patients=1)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(TinysegError, match="is not empty"):
        make_phantom(tmp_path, patients=1)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(TinysegError, match="is a file; it should be a folder"):
        make_phantom(tmp_path / "file", patients=1)
    assert (tmp_path / "file").read_text() == "mine"


def test_an_interruption_leaves_nothing(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, tmp_path / "files"], capture_output=True, check=False
    )
    assert run.returncode in (-signal.SIGINT, 130)
    assert list(tmp_path.iterdir()) == []
