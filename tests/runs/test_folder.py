"""The run folder: never shared, never half written, and clear about what it lacks."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tinyseg.errors import TinysegError, UsageError
from tinyseg.runs import Run, whole_file, write_text
from tinyseg.runs.records import RunRecord, SplitRecord

SPLIT = SplitRecord(
    by="patient", seed=1, validation_share=0.2, test_share=0.2, train=["a"], validation=["b"],
    test=["c"],
)  # fmt: skip


def test_numbered_names_are_never_shared(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: Run.create(tmp_path, "unet-lgg"), range(20)))
    assert sorted(run.name for run in runs) == sorted(f"unet-lgg-{n}" for n in range(1, 21))


def test_a_chosen_name_is_taken_once(tmp_path):
    Run.create(tmp_path, "x", name="mine")
    with pytest.raises(UsageError, match="mine exists already"):
        Run.create(tmp_path, "x", name="mine")


def test_documents_come_back_as_written(tmp_path):
    run = Run.create(tmp_path, "x")
    run.write("split.json", SPLIT)
    assert run.split == SPLIT
    assert '"schema": 1' in (run.path / "split.json").read_text()


def test_runs_of_the_first_version_are_read(finished_runs):
    record = Run.open("unet-drawn-1", finished_runs).record
    text = record.to_json().replace('"score"', '"dice"').replace('"task": "segmentation",', "")
    assert RunRecord.model_validate_json(text) == record


def test_a_missing_or_foreign_document_is_named(tmp_path):
    run = Run.create(tmp_path, "x")
    with pytest.raises(TinysegError, match=r"has no split\.json"):
        _ = run.split
    (run.path / "split.json").write_text('{"schema": 2}')
    with pytest.raises(TinysegError, match=r"split\.json is not what this version.*schema"):
        _ = run.split


def test_an_unknown_run_is_named(tmp_path):
    with pytest.raises(TinysegError, match="no run 'nothing'"):
        Run.open("nothing", tmp_path)


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "before")
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "before"
    assert [found.name for found in tmp_path.iterdir()] == ["file.txt"]


HOLD = """
import sys
from pathlib import Path
from tinyseg.runs import Run
with Run(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_living_holder_is_named_and_a_dead_one_forgotten(tmp_path):
    run = Run.create(tmp_path, "x")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        held = pytest.raises(TinysegError, match=f"another process .process {holder.pid}")
        with held, run.locked():
            pass
        os.kill(holder.pid, signal.SIGKILL)
    with run.locked():
        pass
