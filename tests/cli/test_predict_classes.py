"""`tinyseg predict` with networks of several classes and with those that classify."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tests.command import tinyseg
from tests.several_classes import heads_with_tumours, write_folder
from tinyseg.data import open_dataset
from tinyseg.evaluation import class_colours
from tinyseg.networks import build
from tinyseg.runs.records import ClassifyDocument, PredictDocument

ANIMALS = [f"animal {n}" for n in range(1, 13)]


@pytest.fixture(scope="session")
def imported(once_for_all, shared_data) -> Path:
    """Real slices of two classes in ``data``; in ``runs``, networks for them and for whole
    pictures, of seeded weights, and the first as ONNX; look only."""

    def make(folder: Path) -> None:
        write_folder(folder / "data", heads_with_tumours(shared_data / "lgg", 4))
        for name, classes, model, settings in (
            ("parts", "background,tumour,head", "unet", {"base_channels": 4, "depth": 3}),
            ("animals", ",".join(ANIMALS), "resnet9", {}),
        ):
            network = seeded(model, len(classes.split(",")), settings)
            torch.save(network.state_dict(), folder / f"{name}.pth")
            sets = [f"--set={key}={value}" for key, value in settings.items()]
            done = tinyseg(
                "import", f"{name}.pth", "--model", model, "--origin", "plain", *sets,
                "--classes", classes, "--size", 64, "--name", name, cwd=folder,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
        done = tinyseg("export", "parts", "--format", "onnx", cwd=folder)
        assert done.returncode == 0, done.stderr

    return once_for_all("imported-classes", make)


def seeded(model: str, classes: int, settings: dict[str, int]) -> nn.Module:
    """A network whose classes all win somewhere: on noise each logit has median 0, and spread 2."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build(model, classes=classes, **settings)
        inputs = torch.rand(16, 3, 1, 1) * torch.rand(16, 3, 64, 64)
    last = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)][-1]
    assert last.bias is not None
    with torch.no_grad():
        network.train()
        network(inputs)
        network.eval()
        logits = network(inputs).movedim(1, 0).flatten(1)
        scale = 2 / logits.std()
        last.weight *= scale
        last.bias.copy_((last.bias - logits.median(dim=1).values) * scale)
    return network


def test_labels_are_those_of_the_network_and_read_back_as_labels(imported, tmp_path):
    out, pictures = tmp_path / "masks", imported / "data" / "images"
    done = tinyseg("predict", "parts", pictures, "--out", out, "--overlay", "--json", cwd=imported)
    assert done.returncode == 0, done.stderr
    document = PredictDocument.model_validate_json(done.stdout)
    assert (document.classes, document.threshold) == (["tumour", "head"], None)
    shutil.copytree(pictures, tmp_path / "images")
    for overlay in out.glob("*_overlay.png"):
        overlay.unlink()
    (tmp_path / "classes.txt").write_text("tumour\nhead\n")
    again = open_dataset(str(tmp_path))
    network = build("unet", classes=3, base_channels=4, depth=3).eval()
    network.load_state_dict(torch.load(imported / "parts.pth"))
    seen: set[int] = set()
    for found in document.pictures:
        sample = again.read(Path(found.picture).stem)
        small = Image.fromarray(sample.image).resize((64, 64), Image.Resampling.BILINEAR)
        inputs = torch.from_numpy(np.asarray(small, np.float32).transpose(2, 0, 1)[None] / 255)
        with torch.no_grad():
            likely = network(inputs).softmax(dim=1)[0].numpy()
        size = sample.labels.shape[::-1]
        planes = [
            Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR) for plane in likely
        ]
        expected = np.stack([np.asarray(plane) for plane in planes]).argmax(axis=0)
        assert (sample.labels == expected).mean() > 0.999
        assert found.shares == {
            "tumour": pytest.approx((sample.labels == 1).mean()),
            "head": pytest.approx((sample.labels == 2).mean()),
        }
        seen |= set(np.unique(sample.labels))
    assert seen == {0, 1, 2}
    with Image.open(document.pictures[0].mask) as mask:
        assert mask.getpalette()[3:9] == class_colours(2).ravel().tolist()


def test_an_exported_file_of_several_classes_predicts_as_its_run_does(imported, tmp_path):
    masks = []
    for subject in ("parts", "runs/parts/artifacts/parts.onnx"):
        out = tmp_path / Path(subject).name
        done = tinyseg("predict", subject, "data/images", "--out", out, cwd=imported)
        assert done.returncode == 0, done.stderr
        masks.append(np.stack([np.asarray(Image.open(path)) for path in sorted(out.iterdir())]))
    assert (masks[0] == masks[1]).mean() > 0.999
    assert masks[0].max() == 2


def test_the_table_shows_each_class_and_fits_80_columns(imported, tmp_path):
    done = tinyseg(
        "predict", "parts", "data/images", "--out", tmp_path, cwd=imported,
        environment={"COLUMNS": "80"},
    )  # fmt: skip
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "parts, the most probable class" in done.stdout
    assert done.stdout.split("foreground")[1].split()[:2] == ["tumour", "head"]
    assert done.stdout.count("%") == 12


def test_pictures_are_classified_into_a_table_and_a_document(imported, shared_data, tmp_path):
    pictures = sorted((shared_data / "ph2" / "images").iterdir())[:5]
    (tmp_path / "in").mkdir()
    for picture in pictures:
        shutil.copy(picture, tmp_path / "in")
    (tmp_path / "in" / "broken.png").write_bytes(b"no picture")
    done = tinyseg(
        "predict", imported / "runs" / "animals", tmp_path / "in", "--out", tmp_path / "in",
        "--json",
    )  # fmt: skip
    said = " ".join(done.stderr.split())
    assert done.returncode == 1
    assert "1 of 6 pictures could not be read" in said
    document = ClassifyDocument.model_validate_json(done.stdout)
    assert document.table == str(tmp_path / "in" / "predictions.csv")
    network = build("resnet9", classes=12).eval()
    network.load_state_dict(torch.load(imported / "animals.pth"))
    with Path(document.table).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(document.pictures) == 5
    for path, row, found in zip(pictures, rows, document.pictures, strict=True):
        small = Image.open(path).resize((64, 64), Image.Resampling.BILINEAR)
        inputs = torch.from_numpy(np.asarray(small, np.float32).transpose(2, 0, 1)[None] / 255)
        with torch.no_grad():
            likely, order = network(inputs).softmax(dim=1)[0].sort(descending=True)
        assert [top.label for top in found.top] == [ANIMALS[n] for n in order[:5].tolist()]
        assert [top.probability for top in found.top] == pytest.approx(
            likely[:5].tolist(), abs=1e-5
        )
        assert (row["picture"], row["label"]) == (found.picture, found.label)
        assert float(row["probability"]) == pytest.approx(found.probability, abs=1e-6)
        assert row["label_5"] == found.top[4].label
    shown = tinyseg(
        "predict", "animals", pictures[0], "--out", tmp_path, cwd=imported,
        environment={"COLUMNS": "80"},
    )  # fmt: skip
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert f"{document.pictures[0].label} " in shown.stdout
    assert f"{document.pictures[0].probability:.1%}" in shown.stdout


@pytest.mark.parametrize(
    ("subject", "option", "sentence"),
    [
        (
            "parts",
            "--threshold=0.3",
            "parts tells 3 classes apart, of which the most probable wins",
        ),
        ("animals", "--threshold=0.5", "whatever the --threshold. Mend: Leave it out."),
        ("animals", "--overlay", "--overlay draws masks, and animals classifies whole pictures."),
    ],
)
def test_options_that_mean_nothing_are_told_before_anything_is_done(
    imported, tmp_path, subject, option, sentence
):
    done = tinyseg("predict", subject, "data/images", "--out", tmp_path, option, cwd=imported)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []
