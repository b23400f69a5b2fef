"""Measurements, each in a fresh process of its own, kept in the run."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from tinyseg.children import run_child
from tinyseg.errors import ChildError, TinysegError, UsageError
from tinyseg.exporters import resolve
from tinyseg.profiles import Request, Target, profile
from tinyseg.profiles.cpu import RUNNER, CpuDevice
from tinyseg.profiles.statistics import latency
from tinyseg.runs import Run
from tinyseg.runs.records import ProfileDocument

UL, UNET = "ul-vm-unet-drawn-1", "unet-drawn-1"


def onnx_target(runs, run: str = UNET) -> Target:
    path = runs / run / "artifacts" / f"{run}.onnx"
    return Target(path, path.name, "onnxruntime", "fp32", (1, 3, 64, 64), "onnx")


@pytest.fixture(scope="module")
def profiled(exported_runs, tmp_path_factory):
    """The Mamba run, profiled in all three runtimes; its document and its folder."""
    folder = tmp_path_factory.mktemp("profiled")
    run = Run(shutil.copytree(exported_runs / UL, folder / UL))
    return profile(resolve(str(run.path)), max_seconds=0.5), run


def test_weights_and_every_artifact_are_measured(profiled):
    document, _ = profiled
    assert [(record.runtime, record.artifact) for record in document.profiles] == [
        ("torch", "weights/best.safetensors"),
        ("onnxruntime", f"{UL}.onnx"),
        ("litert", f"{UL}.tflite"),
    ]
    for record in document.profiles:
        assert (record.device, record.precision, record.threads, record.batch) == (
            "cpu", "fp32", 1, 1,
        )  # fmt: skip
        assert record.input == [1, 3, 64, 64]
        assert record.runtime in record.versions


def test_what_is_printed_is_what_is_kept(profiled):
    document, run = profiled
    assert sorted(path.name for path in (run.path / "profiles").iterdir()) == [
        "cpu-litert-fp32-t1.json", "cpu-onnxruntime-fp32-t1.json", "cpu-torch-fp32-t1.json",
    ]  # fmt: skip
    kept = [record for document in run.profiles for record in document.profiles]
    by_runtime = sorted(document.profiles, key=lambda record: record.runtime)
    assert kept == by_runtime


def test_figures_follow_from_the_samples(profiled):
    for record in profiled[0].profiles:
        assert len(record.samples_ms) >= 3
        assert min(record.samples_ms) > 0
        assert record.latency_ms == latency(record.samples_ms)
        assert record.throughput == pytest.approx(1e3 / np.median(record.samples_ms))
        assert record.trusted == (not record.noise.reasons)
        assert record.cold_start_ms > record.latency_ms.p50


def test_memory_is_that_of_the_child_alone(profiled):
    """This process holds torch; what runs an artifact must not be told to hold it."""
    torch_, onnx, litert = profiled[0].profiles
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    for record, most in ((onnx, 150e6), (litert, 150e6)):
        assert 10e6 < record.memory.baseline_bytes < min(most, ours)
        assert record.memory.baseline_bytes < torch_.memory.baseline_bytes
    for record in profiled[0].profiles:
        memory = record.memory
        assert memory.rise_bytes == memory.peak_bytes - memory.baseline_bytes
        assert 1e6 < memory.rise_bytes < 500e6
        assert memory.arena_bytes is None
    assert onnx.memory.artifact_bytes == (profiled[1].artifacts / f"{UL}.onnx").stat().st_size


def test_what_allocates_more_rises_more():
    """Activations of a 16 times larger picture; 8 maps of 256 x 256 floats are 2 MiB."""
    small, large = (
        profile(
            resolve("unet", size=size, arguments={"base_channels": 8, "depth": 2}), max_seconds=0.1
        ).profiles[0]
        for size in (64, 512)
    )
    assert small.memory.artifact_bytes == large.memory.artifact_bytes
    assert large.memory.rise_bytes > small.memory.rise_bytes + 4 * 8 * 512 * 512


def test_the_peak_of_a_process_is_what_it_holds():
    program = f"""
import sys; sys.path.insert(0, {str(RUNNER.parent)!r})
import numpy as np, runner
before = runner._peak_bytes()
held = np.ones(100_000_000, np.uint8)
held = None
print(runner._peak_bytes() - before)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert int(run.stdout) == pytest.approx(100e6, rel=0.05), run.stderr


def test_the_parent_sleeps_meanwhile(exported_runs):
    request = Request(min_iterations=1, min_seconds=2, max_seconds=3)
    begun = time.process_time()
    record = CpuDevice().measure(onnx_target(exported_runs), request)
    used = time.process_time() - begun
    assert sum(record.samples_ms) > 1000
    assert used < 0.25 * sum(record.samples_ms) / 1000


def test_as_many_samples_as_were_asked_for_within_the_longest_time(exported_runs):
    target = onnx_target(exported_runs)
    few = CpuDevice().measure(target, Request(min_iterations=25, min_seconds=0, max_seconds=60))
    assert len(few.samples_ms) == 25
    cut = CpuDevice().measure(target, Request(min_iterations=10**6, max_seconds=0.1))
    assert sum(cut.samples_ms[:-1]) < 100
    assert len(cut.samples_ms) >= 1


def test_threads_are_measured_one_by_one(runs):
    shutil.rmtree(runs / UNET / "artifacts")
    document = profile(resolve(str(runs / UNET)), threads=(1, 2), max_seconds=0.1)
    assert [record.threads for record in document.profiles] == [1, 2]
    assert sorted(path.name for path in (runs / UNET / "profiles").iterdir()) == [
        "cpu-torch-fp32-t1.json", "cpu-torch-fp32-t2.json",
    ]  # fmt: skip


def test_a_batch_measures_torch_alone(runs):
    (record,) = profile(resolve(str(runs / UNET)), batch=4, max_seconds=0.1).profiles
    assert (record.runtime, record.batch, record.input) == ("torch", 4, [4, 3, 64, 64])
    assert record.throughput == pytest.approx(4e3 / record.latency_ms.p50)
    assert [path.name for path in (runs / UNET / "profiles").iterdir()] == [
        "cpu-torch-fp32-t1-b4.json"
    ]
    with pytest.raises(UsageError, match="takes one picture at a time, not 4"):
        profile(resolve(str(runs / UNET / "artifacts" / f"{UNET}.onnx")), batch=4)


def test_fresh_weights_leave_no_file_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (record,) = profile("unet", max_seconds=0.1).profiles
    assert (record.runtime, record.input) == ("torch", [1, 3, 256, 256])
    assert record.artifact == "unet (fresh weights)"
    assert list(tmp_path.iterdir()) == []


def test_the_runner_can_be_copied_to_a_device(exported_runs, tmp_path, hide):
    """It needs NumPy and the runtime: no torch, and nothing of tinyseg."""
    copied = shutil.copy(RUNNER, tmp_path / "runner.py")
    for runtime, ending in (("onnxruntime", "onnx"), ("litert", "tflite")):
        question = {
            "runtime": runtime, "input": [1, 3, 64, 64], "threads": 1, "min_iterations": 2,
            "file": str(exported_runs / UNET / "artifacts" / f"{UNET}.{ending}"),
            "min_seconds": 0, "max_seconds": 10,
        }  # fmt: skip
        answer = run_child(
            "It", copied, question, timeout_s=60, environment=hide("tinyseg", "torch")
        )
        assert len(answer["samples_ms"]) == 2


def test_a_file_that_the_runtime_refuses_is_named(tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"nothing")
    target = Target(path, path.name, "onnxruntime", "fp32", (1, 3, 64, 64), "onnx")
    with pytest.raises(ChildError, match=r"Profiling broken\.onnx in onnxruntime failed"):
        CpuDevice().measure(target, Request())


def test_an_artifact_that_changed_is_not_measured(runs):
    with (runs / UNET / "artifacts" / f"{UNET}.onnx").open("ab") as file:
        file.write(b"more")
    with pytest.raises(TinysegError, match="is not the file that its manifest describes"):
        profile(resolve(str(runs / UNET)), max_seconds=0.1)


def test_a_run_without_weights_says_how_to_get_them(runs):
    (runs / UNET / "weights" / "best.safetensors").unlink()
    with pytest.raises(TinysegError, match="has no weights yet"):
        profile(resolve(str(runs / UNET)))


def test_progress_names_what_is_measured(runs):
    told: list[tuple[str, int, int | None, str]] = []
    shutil.rmtree(runs / UNET / "artifacts")
    profile(
        resolve(str(runs / UNET)), threads=(1, 2), max_seconds=0.1,
        progress=lambda *news: told.append(news),
    )  # fmt: skip
    assert told == [
        ("Profiling", 0, 2, "torch, 1 thread"),
        ("Profiling", 1, 2, "torch, 2 threads"),
        ("Profiling", 2, 2, ""),
    ]


def test_documents_carry_their_schema(profiled):
    path = profiled[1].path / "profiles" / "cpu-litert-fp32-t1.json"
    document = json.loads(path.read_text())
    assert document["schema"] == 1
    assert ProfileDocument.model_validate(document).profiles[0].machine.cores == os.cpu_count()
