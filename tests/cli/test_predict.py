"""`tinyseg predict` as users meet it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.command import tinyseg
from tests.finished_runs import THRESHOLD
from tinyseg.evaluation import decide, network_predictor, probabilities
from tinyseg.networks import load_network
from tinyseg.runs import Run
from tinyseg.runs.records import PredictDocument

NAME = "unet-drawn-1"


@pytest.fixture
def pictures(finished_runs, tmp_path) -> Path:
    """Two folders: drawn pictures as they are, and equally named ones of the network's size."""
    for picture in sorted((finished_runs / "data" / "DRAWN_0").glob("*[0-9].png")):
        image = Image.open(picture)
        for folder, size in (("large", image.size), ("small", (64, 64))):
            path = tmp_path / "pictures" / folder / picture.name
            path.parent.mkdir(parents=True, exist_ok=True)
            image.resize(size).save(path)
    return tmp_path / "pictures"


def mask_at(path: Path | str) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_masks_are_what_the_runs_network_decides(finished_runs, pictures, tmp_path):
    run, out = Run(finished_runs / NAME), tmp_path / "masks"
    done = tinyseg("predict", run.path, pictures, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    document = PredictDocument.model_validate_json(done.stdout)
    assert (document.subject, document.threshold, document.problems) == (NAME, THRESHOLD, [])
    assert [picture.overlay for picture in document.pictures] == [None] * 8

    predict = network_predictor(load_network(run))
    for path in sorted((pictures / "small").iterdir()):
        inputs = run.record.preprocessing([np.asarray(Image.open(path))])
        labels = decide(probabilities(predict(inputs)), THRESHOLD)[0]
        mask = mask_at(out / "small" / path.name)
        assert (mask == labels * 255).mean() > 0.999
        assert 0.05 < labels.mean() < 0.95
        assert mask_at(out / "large" / path.name).shape == (80, 96)


def test_corrupt_pictures_end_it_with_1_after_the_others_are_done(
    finished_runs, pictures, tmp_path
):
    (pictures / "large" / "DRAWN_0_2.png").write_bytes(b"no picture")
    out = tmp_path / "masks"
    done = tinyseg("predict", finished_runs / NAME, pictures, "--out", out, "--overlay")
    message = " ".join(done.stderr.split())
    assert done.returncode == 1
    assert "1 of 8 pictures could not be read" in message
    assert "large/DRAWN_0_2.png cannot be read" in message
    assert "Traceback" not in message
    assert len(list(out.glob("*/DRAWN_0_[0-9].png"))) == 7
    assert len(list(out.glob("*/DRAWN_0_[0-9]_overlay.png"))) == 7
    assert not list(out.glob("large/DRAWN_0_2*"))


def test_an_exported_file_predicts_as_its_run_does(exported_runs, pictures, tmp_path):
    artifact = exported_runs / NAME / "artifacts" / f"{NAME}.onnx"
    for subject, out in ((exported_runs / NAME, "run"), (artifact, "file")):
        done = tinyseg("predict", subject, pictures / "large", "--out", tmp_path / out, "--json")
        assert done.returncode == 0, done.stderr
    for path in (tmp_path / "run").iterdir():
        assert (mask_at(path) == mask_at(tmp_path / "file" / path.name)).mean() > 0.999


def test_pictures_are_never_replaced(finished_runs, pictures):
    before = {path: path.read_bytes() for path in pictures.rglob("*.png")}
    done = tinyseg("predict", finished_runs / NAME, pictures / "small", "--out", pictures / "small")
    assert (done.returncode, done.stdout) == (2, "")
    assert "would lie among the pictures" in done.stderr
    assert {path: path.read_bytes() for path in pictures.rglob("*.png")} == before
