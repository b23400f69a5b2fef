"""`tinyseg models` as users meet it."""

import json

import pytest
from rich.console import Console

from tests.command import tinyseg
from tinyseg.cli import models
from tinyseg.runs.records import ModelsDocument, NetworkListed, PaperListed

REMARK = "Dice 0.79955 is a misprint of 0.7955: the paper's record has 0.7955457."


def shown(*arguments: str, width: int = 160) -> str:
    done = tinyseg("models", *arguments, environment={"COLUMNS": str(width)})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def listed(name: str, **known) -> NetworkListed:
    values = {"task": "segmentation", "family": "F", "parameters": 1, "arguments": {}, **known}
    return NetworkListed(name=name, **values)


def printed(view, width: int = 80) -> str:
    terminal = Console(width=width)
    with terminal.capture() as capture:
        terminal.print(view)
    return capture.get()


@pytest.mark.parametrize("width", [80, 160])
def test_the_table_marks_what_the_paper_misprints(width):
    lines = shown(width=width).splitlines()
    assert max(map(len, lines)) <= width
    [row] = [line for line in lines if "│ ul-vm-unet " in line]
    assert row.replace("│", " ").split()[-3:] == ["49,457", "0.049", "0.79955*"]
    [row] = [line for line in lines if "│ unet " in line]
    assert row.replace("│", " ").split()[-3:] == ["7,765,985", "7.8", "0.8929"]
    [row] = [line for line in lines if "│ vim " in line]
    assert row.replace("│", " ").split()[-2:] == ["classification", "1,832,980"]
    said = "Parameters: three channels, one class (segmentation), 100 classes (classification)."
    assert said in " ".join(line.strip() for line in lines)
    assert f"* ul-vm-unet: {REMARK}" in " ".join(line.strip() for line in lines)


def test_a_remark_on_no_figure_in_particular_marks_both():
    paper = PaperListed(parameters_m=10.0, dice=0.5, remark="Recorded [twice].")
    text = printed(models._table(ModelsDocument(networks=[listed("a", paper=paper)])))
    assert "10*" in text
    assert "0.5*" in text
    assert text.splitlines()[-1] == "* a: Recorded [twice]."


def test_long_names_break_no_figure():
    paper = PaperListed(parameters_m=1.25, dice=0.79955, remark="So.", remark_on="dice")
    known = {"task": "classification", "family": "A Family Of Many Words", "paper": paper}
    network = listed("a-network-with-a-name", parameters=123_456_789, **known)
    text = printed(models._table(ModelsDocument(networks=[network])))
    assert "…" not in text
    for cell in ("a-network-with-a-name", "123,456,789", "1.25", "0.79955*"):
        assert f" {cell} " in text


@pytest.mark.parametrize("width", [80, 160])
def test_one_network_whole(width):
    text = shown("ul-vm-unet", width=width)
    assert max(map(len, text.splitlines())) <= width
    cells = " ".join(text.replace("│", " ").split())
    for part in (
        "parameters 49,457 for three channels and one class",
        "paper 0.049 M, Dice 0.79955*",
        "--set channels [8, 16, 24, 32, 48, 64]",
        "--set pyramid none",
        f"* {REMARK}",
    ):
        assert part in cells


def test_a_note_tells_where_ours_differs():
    text = printed(models._whole(listed("a", paper=None, note="1 here, 2 in the original.")))
    assert text.splitlines()[-1] == "1 here, 2 in the original."
    assert "Paper:" not in text


def test_the_document_keeps_its_keys():
    every = json.loads(shown("--json"))
    assert every["schema"] == 1
    [network] = [n for n in every["networks"] if n["name"] == "ul-vm-unet"]
    assert {"name", "task", "family", "parameters", "paper"} <= set(network)
    assert network["paper"]["parameters_m"] == 0.049
    assert network["paper"]["dice"] == 0.79955
    assert network["paper"]["remark"] == REMARK
    assert network["arguments"]["branches"] == 4
    assert json.loads(shown("ul-vm-unet", "--json"))["networks"] == [network]


def test_an_unknown_name_gets_the_nearest_one():
    done = tinyseg("models", "ul-vm-unett")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Did you mean 'ul-vm-unet'?" in done.stderr
