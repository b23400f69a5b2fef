"""``tinyseg profile`` as a process, on this processor and on somebody else's device."""

import json

import pytest

from tests.command import tinyseg
from tinyseg.runs.records import ProfileDocument

UNET = "unet-drawn-1"


@pytest.mark.parametrize("width", [80, 160])
def test_a_run_by_name_with_its_table(runs, width):
    done = tinyseg(
        "profile", UNET, "--runs", runs, "--max-seconds", "0.2",
        environment={"COLUMNS": str(width)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for runtime in ("torch", "onnxruntime", "litert"):
        assert len([line for line in lines if line.startswith(f" {runtime} fp32 ")]) == 1
    assert max(map(len, lines)) <= width
    assert "…" not in done.stdout
    assert f"{UNET} at 1x3x64x64" in done.stdout
    assert "Next: tinyseg compare" in done.stderr


def test_json_is_one_document_and_the_rest_stands_apart(runs):
    done = tinyseg(
        "profile", runs / UNET / "artifacts" / f"{UNET}.tflite", "--threads", "1,2",
        "--max-seconds", "0.1", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = ProfileDocument.model_validate_json(done.stdout)
    assert json.loads(done.stdout)["schema"] == 1
    assert [(each.runtime, each.threads) for each in document.profiles] == [
        ("litert", 1), ("litert", 2),
    ]  # fmt: skip
    assert "Profiling 2/2" in done.stderr
    assert (runs / UNET / "profiles" / "cpu-litert-fp32-t2.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ((UNET, "--threads", "0"), 2, "--threads 0 should be counts separated by commas"),
        ((UNET, "--threads", "1;2"), 2, "--threads 1;2 should be counts"),
        ((UNET, "--device", "cpux"), 2, "No device is called 'cpux'. Mend: Did you mean 'cpu'?"),
        ((UNET, "--seed", "1"), 2, "has its own shape and weights, so --seed cannot change it"),
        ((f"{UNET}/artifacts/{UNET}.onnx", "--batch", "2"), 2, "takes one picture at a time"),
        (("no-such-run",), 2, "'no-such-run' is no run, no exported file and no network's name"),
    ],
)
def test_mistakes_get_one_sentence(exported_runs, arguments, code, sentence):
    done = tinyseg("profile", *arguments, "--runs", ".", cwd=exported_runs)
    assert sentence in " ".join(done.stderr.split())
    assert (done.returncode, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("third_party")
def test_a_device_of_somebody_else(runs):
    done = tinyseg(
        "profile", runs / UNET, "--device", "abacus", "--json",
        environment={"ABACUS": "on the table"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    profiles = ProfileDocument.model_validate_json(done.stdout).profiles
    assert [(each.device, each.runtime) for each in profiles] == [
        ("abacus", "torch"), ("abacus", "onnxruntime"), ("abacus", "litert"),
    ]  # fmt: skip
    assert (runs / UNET / "profiles" / "abacus-litert-fp32-t1.json").is_file()


@pytest.mark.usefixtures("third_party")
def test_a_device_that_cannot_be_used_says_why(exported_runs):
    done = tinyseg("profile", exported_runs / UNET, "--device", "abacus")
    assert done.returncode == 1
    assert "The device abacus cannot be used: it should lie on the table." in done.stderr
