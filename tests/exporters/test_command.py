"""``tinyseg export`` as a process: what it prints where, and how it ends."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from tests.command import tinyseg
from tinyseg.runs.records import ExportDocument

UL, UNET = "ul-vm-unet-drawn-1", "unet-drawn-1"


def test_json_is_one_document_and_the_rest_stands_apart(exported_runs):
    output = (exported_runs / f"{UL}.json").read_text()
    document = ExportDocument.model_validate_json(output)
    assert json.loads(output)["schema"] == 1
    assert [record.format for record in document.artifacts] == ["onnx", "tflite"]
    assert all(record.seconds > 0 for record in document.artifacts)
    notes = (exported_runs / f"{UL}.txt").read_text()
    assert "Exporting 2/2" in notes
    assert "each with its manifest" in notes
    assert "Next: tinyseg profile" in notes


@pytest.mark.parametrize("width", [80, 160])
def test_the_table_fits_the_terminal(exported_runs, width):
    from rich.console import Console

    from tinyseg.cli.export import view

    document = ExportDocument.model_validate_json((exported_runs / f"{UL}.json").read_text())
    console = Console(width=width, record=True)
    with console.capture() as shown:
        console.print(view(document.artifacts))
    text = shown.get()
    for record in document.artifacts:
        (line,) = (line for line in text.splitlines() if f"{UL}.{record.format}" in line)
        assert f" {record.nodes:,} " in line
        assert len(line) <= width
    assert "…" not in text
    assert "Dice: mean over volumes of the test part; the run's is" in text
    unscored = [each.model_copy(update={"accuracy": None}) for each in document.artifacts]
    with console.capture() as shown:
        console.print(view(unscored))
    assert "Dice" not in shown.get()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ((UNET, "--format", "onxn"), 2, "No exporter is called 'onxn'. Mend: Did you mean 'onnx'?"),
        ((UNET, "--format", ","), 2, "--format ',' should name one or more, separated by commas"),
        ((UNET, "--size", "32"), 2, "has its own shape and weights, so --size cannot change it"),
        ((f"{UNET}/artifacts/{UNET}.onnx",), 2, "is an exported file, which holds no network"),
        (("unet-drawn-2",), 2, "Did you mean 'unet-drawn-1'?"),
    ],
)
def test_mistakes_get_one_sentence(exported_runs, tmp_path, arguments, code, sentence):
    done = tinyseg("export", *arguments, "--runs", ".", "--out", tmp_path, cwd=exported_runs)
    assert sentence in " ".join(done.stderr.split())
    assert (done.returncode, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_pictures_that_moved_are_named(runs):
    record = json.loads((runs / UNET / "run.json").read_text())
    record["data"]["source"] = "lgg:/no/such/folder"
    (runs / UNET / "run.json").write_text(json.dumps(record))
    done = tinyseg("export", runs / UNET, "--format", "onnx")
    assert done.returncode == 1
    assert "no folder '/no/such/folder'" in done.stderr


def test_a_missing_extra_answers_with_what_to_type(exported_runs, tmp_path, hide):
    done = tinyseg(
        "export", exported_runs / UNET, "--out", tmp_path / "out", environment=hide("litert_torch")
    )
    assert done.returncode == 1
    assert "Export to tflite needs the package litert_torch" in done.stderr
    assert "pip install 'tinyseg[tflite]'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_missing_runtime_answers_with_what_to_type(exported_runs, hide):
    artifact = exported_runs / UNET / "artifacts" / f"{UNET}.tflite"
    done = tinyseg("profile", artifact, environment=hide("ai_edge_litert"))
    assert done.returncode == 1
    assert "needs the package ai_edge_litert" in done.stderr
    assert "pip install 'tinyseg[tflite]'" in done.stderr


def test_onnx_needs_no_extra(exported_runs, tmp_path, hide):
    done = tinyseg(
        "export", exported_runs / UNET, "--format", "onnx", "--out", tmp_path,
        environment=hide("litert_torch", "ai_edge_litert"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"{UNET}.onnx").is_file()
    assert f"Next: tinyseg profile {exported_runs / UNET}" in " ".join(done.stderr.split("\n"))


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_export_leaves_nothing(runs, sent):
    shutil.rmtree(runs / UNET / "artifacts")
    command = [sys.executable, "-m", "tinyseg", "export", str(runs / UNET), "--format", "tflite"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as export:
        assert export.stderr is not None
        next(line for line in export.stderr if line.startswith("Exporting"))
        export.send_signal(sent)
        said = export.stderr.read()
    assert export.returncode == 130, said
    assert "Interrupted." in said
    assert list((runs / UNET / "artifacts").iterdir()) == []


def test_a_killed_export_leaves_no_name(runs):
    """Nothing can be tidied then, but what lies there is hidden, and no later command sees it."""
    shutil.rmtree(runs / UNET / "artifacts")
    command = [sys.executable, "-m", "tinyseg", "export", str(runs / UNET), "--format", "onnx"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as it:
        assert it.stderr is not None
        next(line for line in it.stderr if line.startswith("Exporting"))
        os.kill(it.pid, signal.SIGKILL)
    assert all(path.name.startswith(".") for path in (runs / UNET / "artifacts").iterdir())
