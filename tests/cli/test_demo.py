"""The tour, whole but with short trainings."""

import json

import pytest
from PIL import Image

from tests.command import tinyseg
from tinyseg.runs import Run


def test_the_demo_ends_with_a_table_a_picture_and_what_to_try_next(tmp_path):
    ended = tinyseg("demo", "--epochs", 1, "--runs", tmp_path, "--json")
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    rows = {row["network"]: row for row in document["rows"]}
    assert set(rows) == {"ul-vm-unet", "unet"}
    for row in rows.values():
        assert row["state"] == "finished"
        assert row["onnx_state"] == row["tflite_state"] == "passed"
        assert row["onnx_dice"] == pytest.approx(row["dice"], abs=5e-4)
        assert row["tflite_dice"] == pytest.approx(row["dice"], abs=5e-4)
        assert min(row["torch_ms"], row["onnx_ms"], row["tflite_ms"]) > 0
    assert [run.record.state for run in Run.all(tmp_path)] == ["finished", "finished"]
    with Image.open(tmp_path / "demo.png") as picture:
        assert min(picture.size) > 400
    for command in ("train", "export", "profile"):
        assert f"tinyseg {command}" in ended.stderr
    assert "Next: tinyseg train --model ul-vm-unet --data FOLDER" in ended.stderr
