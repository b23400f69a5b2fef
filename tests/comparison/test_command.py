"""``tinyseg compare`` as a process."""

import json

import pytest

from tests.command import tinyseg
from tests.comparison.run_folders import evaluated, make_run
from tinyseg.runs.records import CompareDocument


@pytest.fixture
def folder(tmp_path):
    evaluated(make_run(tmp_path / "runs", "unet-1", 500_000), 0.8)
    evaluated(make_run(tmp_path / "runs", "unet-2", 400_000), 0.7, seed=1)
    make_run(tmp_path / "runs", "unet-3", 300_000, state="running")
    return tmp_path


def test_json_is_one_flat_document_and_the_rest_stands_apart(folder):
    done = tinyseg("compare", "--json", "--plot", "figure.svg", cwd=folder)
    assert done.returncode == 0, done.stderr
    document = CompareDocument.model_validate_json(done.stdout)
    assert json.loads(done.stdout)["schema"] == 1
    assert [row["run"] for row in document.rows] == ["unet-1", "unet-2", "unet-3"]
    assert [row["pareto"] for row in document.rows] == [True, True, False]
    assert "Written to figure.svg" in done.stderr
    assert (folder / "figure.svg").read_text().startswith("<?xml")


def test_runs_by_name_and_by_folder(folder):
    done = tinyseg("compare", "unet-2", folder / "runs" / "unet-1", "--json", cwd=folder)
    assert {row["run"] for row in json.loads(done.stdout)["rows"]} == {"unet-1", "unet-2"}


def test_the_table_with_conditions_order_and_differences(folder):
    done = tinyseg(
        "compare", "--where", "dice>0.1", "--where", "parameters<1e6", "--sort", "parameters",
        "--against", "unet-1", cwd=folder, environment={"COLUMNS": "80"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    starts = [line.split()[:3] for line in lines if "unet-" in line]
    assert starts == [["★", "unet-2", "400,000"], ["★", "unet-1", "500,000"]]
    assert "+0.000" in done.stdout
    assert "Next: tinyseg compare --plot figure.png" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--where", "params<3"), 2, "No column is called 'params'. Mend: Did you mean"),
        (("--sort", "size_"), 2, "Did you mean 'size'?"),
        (("--columns", "run,dicee"), 2, "Did you mean 'dice'?"),
        (("--plot", "figure.gif"), 2, "figure.gif should end in .png, .svg, .pdf"),
        (("unet-9",), 1, "There is no run 'unet-9'"),
        (("--against", "unet-3"), 1, "unet-3 was not evaluated"),
        (("--runs", "nowhere"), 1, "There are no runs in 'nowhere'. Mend: Make one: tinyseg train"),
        (("unet-3", "--plot", "figure.png"), 1, "There is nothing to draw"),
    ],
)
def test_mistakes_get_one_sentence(folder, arguments, code, sentence):
    done = tinyseg("compare", *arguments, cwd=folder)
    assert sentence in " ".join(done.stderr.split())
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert not list(folder.glob("figure*"))


def test_a_column_that_does_not_exist_prints_no_table(folder):
    assert tinyseg("compare", "--columns", "dicee", cwd=folder).stdout == ""
