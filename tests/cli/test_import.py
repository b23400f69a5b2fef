"""`tinyseg import` as users meet it, and every other command on what it made."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.command import tinyseg
from tests.finished_runs import draw_patients, finished_run
from tinyseg.errors import TinysegError
from tinyseg.evaluation import network_predictor
from tinyseg.exporters.runtime import runtime_predictor
from tinyseg.networks import build, load_network
from tinyseg.runs import Run
from tinyseg.runs.records import (
    CompareDocument,
    ExportDocument,
    ImportDocument,
    Manifest,
    PredictDocument,
    ProfileDocument,
    SegmentationEvaluation,
)
from tinyseg.training import resume

SMALL = {"base_channels": 4, "depth": 3}
SETTINGS = ("--set", "base_channels=4", "--set", "depth=3")
PARAMETERS = 30_717


@pytest.fixture(scope="session")
def made(once_for_all) -> Path:
    """A folder of pictures, weights that UltraLight VM-UNet's code could have saved, and their run
    at ``runs/mine``; look only."""

    def make(folder: Path) -> None:
        data = draw_patients(folder / "data", patients=3)
        trained = finished_run(folder / "runs", "trained", str(data), "unet", SMALL, size=32)
        weights = load_network(trained).state_dict()
        # As a training on pictures from 0 to 255 would have them.
        weights["encoder1.0.weight"] = weights["encoder1.0.weight"] / 255
        torch.save({f"module.{n}": t for n, t in weights.items()}, folder / "best.pth")
        done = tinyseg(
            "import", "best.pth", "--model", "unet", "--origin", "ultralight-vm-unet",
            *SETTINGS, "--size", 32, "--name", "mine", "--json", cwd=folder,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        (folder / "import.json").write_text(done.stdout)
        (folder / "import.txt").write_text(done.stderr)

    return once_for_all("imported", make)


@pytest.fixture
def here(made, tmp_path) -> Path:
    """A copy of one's own."""
    return Path(shutil.copytree(made, tmp_path / "here"))


def test_the_command_says_what_it_took(made):
    document = ImportDocument.model_validate_json((made / "import.json").read_text())
    record = Run(made / "runs" / "mine").record
    assert (document.run, document.network) == ("runs/mine", "unet")
    assert document.imported == record.imported
    assert document.preprocessing.std == (1 / 255,) * 3
    assert record.command.startswith("tinyseg import best.pth --model unet")
    said = " ".join((made / "import.txt").read_text().split())
    assert "Next: tinyseg evaluate runs/mine --data FOLDER" in said


def test_without_json_the_same_in_words(here):
    done = tinyseg(
        "import", "best.pth", "--model", "unet", "--origin", "paper", "--classes", "tumour",
        *SETTINGS,
        cwd=here,
    )  # fmt: skip
    said = " ".join(done.stdout.split())
    assert (
        f"{PARAMETERS:,} parameters; pictures of 256x256 with 3 channels; classes: tumour." in said
    )
    assert "encoder1.0.weight was turned around, so that these are RGB." in said
    assert "runs/unet-imported-1" in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("--model", "unet"), 2, "--origin"),
        (("--model", "unett", "--origin", "plain"), 2, "Did you mean 'unet'?"),
        (("--model", "unet", "--origin", "plain"), 1, "or its arguments by --set"),
    ],
)
def test_mistakes_get_one_sentence(made, tmp_path, options, code, sentence):
    done = tinyseg("import", made / "best.pth", *options, "--runs", tmp_path / "runs")
    assert (done.returncode, done.stdout) == (code, "")
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_evaluate_wants_data_and_keeps_the_scores(here):
    done = tinyseg("evaluate", "mine", cwd=here)
    assert (done.returncode, done.stdout) == (2, "")
    assert "mine was imported, so nobody knows its data. Mend: Name some by --data." in " ".join(
        done.stderr.split()
    )
    done = tinyseg("evaluate", "mine", "--data", "data", "--split", "test", cwd=here)
    assert "mine was imported, so nobody knows which pictures are the test part" in " ".join(
        done.stderr.split()
    )
    done = tinyseg("evaluate", "mine", "--data", "data", "--json", cwd=here)
    assert "pictures that may have trained them flatter" in " ".join(done.stderr.split())
    record = SegmentationEvaluation.model_validate_json(done.stdout)
    assert (record.split, record.images, record.size) == ("all", 12, 32)
    assert Run(here / "runs" / "mine").evaluation == record


def test_compare_shows_it_beside_a_trained_run(here):
    assert tinyseg("evaluate", "mine", "--data", "data", cwd=here).returncode == 0
    rows = CompareDocument.model_validate_json(tinyseg("compare", "--json", cwd=here).stdout).rows
    row = next(row for row in rows if row["run"] == "mine")
    assert (row["state"], row["problem"]) == ("finished", None)
    assert (row["parameters"], row["split"]) == (PARAMETERS, "all")
    assert row["data"] == f"lgg:{here}/data"
    assert (row["epochs"], row["seed"]) == (None, None)
    assert row["macs"] > 0
    assert row["dice"] is not None
    said = " ".join(tinyseg("compare", cwd=here).stdout.split())
    assert "mine: imported, tested on pictures that may have trained it." in said
    assert "all of data at 32" in said
    done = tinyseg("compare", "mine", "--against", "mine", "--json", cwd=here)
    assert CompareDocument.model_validate_json(done.stdout).rows[0]["difference"] == 0


def test_compare_shows_it_unevaluated(made):
    done = tinyseg("compare", "mine", "--json", cwd=made)
    row = CompareDocument.model_validate_json(done.stdout).rows[0]
    assert (row["dice"], row["data"], row["problem"]) == (None, None, None)


def test_predict_writes_the_masks_of_the_original(made, tmp_path):
    slices = made / "data" / "DRAWN_0"
    done = tinyseg("predict", "mine", slices, "--out", tmp_path, "--json", cwd=made)
    document = PredictDocument.model_validate_json(done.stdout)
    assert len(document.pictures) == 4
    network = build("unet", **SMALL).eval()
    weights = torch.load(made / "best.pth", weights_only=True)
    network.load_state_dict({n.removeprefix("module."): t for n, t in weights.items()})
    for found in document.pictures:
        with Image.open(found.picture) as picture:
            small = np.asarray(picture.resize((32, 32), Image.Resampling.BILINEAR), np.float32)
        with torch.no_grad():
            likely = network(torch.from_numpy(small.transpose(2, 0, 1)[None])).sigmoid()[0, 0]
        whole = Image.fromarray(likely.numpy()).resize((96, 80), Image.Resampling.BILINEAR)
        mask = np.asarray(whole) >= 0.5
        assert np.mean(mask != (np.asarray(Image.open(found.mask)) > 0)) < 1e-3


def test_export_proves_the_file_on_synthetic_pictures(here):
    done = tinyseg("export", "mine", "--format", "onnx", "--json", cwd=here)
    assert done.returncode == 0, done.stderr
    assert "Compared on synthetic pictures and without scores" in " ".join(done.stderr.split())
    artifact = ExportDocument.model_validate_json(done.stdout).artifacts[0]
    assert artifact.parity is not None
    assert (artifact.parity.passed, artifact.accuracy) == (True, None)
    path, run = here / artifact.path, Run(here / "runs" / "mine")
    manifest = Manifest.model_validate_json(Path(f"{path}.json").read_text())
    assert manifest.contents.preprocessing == run.record.preprocessing
    picture = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    values = manifest.contents.preprocessing.normalise(picture)
    assert values.max() > 250
    expected = network_predictor(load_network(run))(values)
    assert runtime_predictor(path, "onnx")(values) == pytest.approx(expected, abs=1e-3)
    done = tinyseg("evaluate", path, "--data", "data", "--json", cwd=here)
    assert SegmentationEvaluation.model_validate_json(done.stdout).images == 12


def test_count_and_profile_work_on_it(here):
    done = tinyseg("count", "mine", "--input", "1x3x32x32", "--json", cwd=here)
    assert json.loads(done.stdout)["parameters"] == PARAMETERS
    done = tinyseg("profile", "mine", "--max-seconds", 0.2, "--json", cwd=here)
    profiles = ProfileDocument.model_validate_json(done.stdout).profiles
    assert [profile.input for profile in profiles] == [[1, 3, 32, 32]]


def test_there_is_no_training_to_go_on_with(made):
    with pytest.raises(TinysegError, match="was imported, so there is no training to go on with"):
        resume("mine", runs=made / "runs")
