"""`tinyseg data` as users run it."""

import io
import json

import pytest
from PIL import Image
from rich.console import Console

from tests.command import tinyseg
from tests.data.cifar_sets import pixels, write_cifar100
from tests.data.in_memory import InMemory, bar
from tinyseg.cli import described
from tinyseg.data import describe_data
from tinyseg.runs.records import CheckDocument, DescribeDocument

PHANTOM = "phantom:patients=4"


def test_describe_prints_one_document(tmp_path):
    run = tinyseg(
        "data", "describe", PHANTOM, "--split", "image", "--plot", tmp_path / "f.png", "--json"
    )
    assert run.returncode == 0, run.stderr
    document = DescribeDocument.model_validate_json(run.stdout)
    assert json.loads(run.stdout)["schema"] == 1
    assert document.data.source == PHANTOM
    assert document.split is not None
    assert sum(part.images for part in document.split.parts) == document.data.images
    assert len(document.split.leaks) == 2
    with Image.open(tmp_path / "f.png") as picture:
        assert picture.size == (900, 540)
    assert str(tmp_path / "f.png") in "".join(run.stderr.split("\n"))


@pytest.mark.parametrize("columns", [80, 160])
def test_describe_fits_the_terminal_and_shows_the_leak(columns):
    run = tinyseg(
        "data", "describe", PHANTOM, "--split", "image", "--quiet",
        environment={"COLUMNS": str(columns)},
    )  # fmt: skip
    text = " ".join(run.stdout.split())
    assert max(map(len, run.stdout.splitlines())) <= columns
    assert "in 4 volumes" in text
    assert "Split by image, seed 0" in text
    assert "Leak: 4 of the 4 groups in the test part also train" in text
    assert "would score a median Dice of 0." in text
    assert run.stderr == ""


def test_describe_by_patient_has_no_leak():
    run = tinyseg("data", "describe", PHANTOM)
    assert "validation" in run.stdout
    assert "Leak" not in run.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("describe", "phantom", "--plot", "figure.gif"), 2, "should end in .png, .svg, .pdf"),
        (("describe", PHANTOM, "--test-share", "0.9"), 2, "leave a part empty"),
        (("describe", "phantom", "--split", "patients"), 2, "patient"),
        (("describe", "no/such"), 1, "There is no folder 'no/such'"),
        (("check", "phantm:seed=1"), 2, "Did you mean 'phantom'?"),
        (("make", "here", "--patients", "0"), 2, "--patients"),
    ],
)
def test_mistakes_get_one_sentence(arguments, code, sentence, tmp_path):
    run = tinyseg("data", *arguments, cwd=tmp_path)
    assert sentence in " ".join(run.stderr.split())
    assert (run.returncode, run.stdout) == (code, "")
    assert "Traceback" not in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_check_says_1_when_there_are_errors_and_0_when_there_are_none(tmp_path):
    made = tmp_path / "files"
    run = tinyseg("data", "make", made, "--patients", "2", "--seed", "3")
    assert (run.returncode, run.stdout) == (0, f"{made}\n")
    assert f"tinyseg train --data {made}" in "".join(run.stderr.split("\n"))
    assert tinyseg("data", "check", made).returncode == 0
    broken = made / "phantom_002" / "phantom_002_3.tif"
    broken.write_bytes(broken.read_bytes()[:500])
    run = tinyseg("data", "check", made, "--json")
    document = CheckDocument.model_validate_json(run.stdout)
    assert run.returncode == 1
    assert [problem.where for problem in document.problems] == [str(broken)]
    shown = tinyseg("data", "check", made, environment={"COLUMNS": "80"})
    assert shown.returncode == 1
    assert "error phantom_002/phantom_002_3.tif" in shown.stdout
    assert "1 error, 0 warnings, 0 notes" in " ".join(shown.stdout.split())
    full = tinyseg("data", "make", made)
    assert (full.returncode, "is not empty" in full.stderr) == (1, True)


@pytest.mark.parametrize("columns", [80, 160])
def test_describe_tells_of_classes_where_whole_pictures_have_them(tmp_path, columns):
    train = {"data": pixels(12), "fine_labels": [0, 0, 1] * 4}
    write_cifar100(tmp_path / "set", train, names=["plane", "car", "bird", "cat"])
    run = tinyseg(
        "data", "describe", tmp_path / "set", "--plot", tmp_path / "classes.png",
        environment={"COLUMNS": str(columns)},
    )  # fmt: skip
    text = " ".join(run.stdout.split())
    assert run.returncode == 0, run.stderr
    assert max(map(len, run.stdout.splitlines())) <= columns
    assert "images 15 sizes 32x32 (15) classes 4" in text
    assert "images a class 3 (median; 0 to 9) without an image cat" in text
    assert "Split by image, seed 0; the test part is the dataset's own" in text
    assert "train 10 2 0 1.5 7" in text
    assert "Without an image in the train part: bird, cat." in text
    assert "foreground" not in text
    assert "volume" not in text
    assert (tmp_path / "classes.png").is_file()


def test_describe_tells_of_each_class_of_the_foreground():
    document = describe_data(
        InMemory(
            {f"{c}-1": bar(0, n) + bar(0, 0) for n, c in enumerate("abcd")}, classes=["x", "y"]
        )
    )
    text = rendered(document)
    assert "with foreground 4 images (100.0% of them)" in text
    assert "x 3 75.0% 15.00% y 4 100.0% 10.00%" in text


def rendered(document: DescribeDocument) -> str:
    console = Console(width=80, file=io.StringIO())
    console.print(described.view(document))
    return " ".join(console.file.getvalue().split())
