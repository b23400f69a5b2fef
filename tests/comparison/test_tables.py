"""What a reader sees: cells that are whole, and notes on what must not be compared."""

import re

import pytest
from rich.console import Console

from tests.comparison.run_folders import counted, evaluated, exported, make_run, profiled
from tinyseg.comparison import ComparisonTable, compare
from tinyseg.comparison.columns import source_name
from tinyseg.errors import UsageError
from tinyseg.runs import Run

LONG = "ul-vm-unet-lgg-jpeg-12"


@pytest.fixture
def runs(tmp_path) -> list[Run]:
    made = []
    for name, parameters, found, passed in (
        (LONG, 49_457, 0.78, True),
        ("unet-lgg-jpeg-1", 7_763_041, 0.84, False),
    ):
        run = counted(evaluated(make_run(tmp_path, name, parameters), found), 72_876_864)
        exported(exported(run, "onnx"), "tflite", passed=passed)
        profiled(run, "onnxruntime", f"{name}.onnx", 123.4, trusted=passed)
        profiled(run, "litert", f"{name}.tflite", 1.234)
        made.append(profiled(run, "torch", "weights/best.safetensors", 1234.5))
    return [*made, make_run(tmp_path, "unet-lgg-jpeg-2", 1, state="interrupted")]


def shown(document, width: int, columns: list[str] | None = None) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(ComparisonTable(document, columns))
    return capture.get()


@pytest.mark.parametrize("width", [80, 160])
def test_no_cell_is_broken(runs, width):
    text = shown(compare(runs), width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in text
    (row,) = (line for line in lines if LONG in line)
    for value in ("49,457", "123", "1.23", "250"):
        assert f" {value} " in row
    (row,) = (line for line in lines if "unet-lgg-jpeg-1 " in line)
    for value in ("7,763,041", "~123", "failed"):
        assert f" {value} " in row
    assert re.search(r"unet-lgg-jpeg-2 .*\n\s+interrupted", text)


def test_room_shows_more(runs):
    narrow, wide = (shown(compare(runs), width) for width in (80, 160))
    assert "M MACs" not in narrow
    for header in ("M MACs", "size", "image", "MB rise", "torch", "epochs", "data"):
        assert header in wide
    assert " 72.9 " in wide


@pytest.mark.parametrize("width", [80, 160])
def test_differences_are_shown_where_asked_for(runs, width):
    text = shown(compare(runs, against=runs[0]), width)
    assert "differ-" in text
    assert "+0.000" in text
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text


def test_chosen_columns_alone(runs):
    text = shown(compare(runs), 80, ["run", "seed", "tflite_state"])
    assert re.search(rf"{LONG} +0 passed", text)
    assert "49,457" not in text
    with pytest.raises(UsageError, match=r"No column is called 'sead'\. Did you mean 'seed'"):
        ComparisonTable(compare(runs), ["sead"])


def test_nothing_left_is_said(runs):
    assert "No run meets all conditions." in shown(compare(runs, where=["parameters<0"]), 80)


def notes_on(*runs: Run) -> str:
    return " ".join(shown(compare(runs), 160).split("\n\n")[-1].split())


def test_different_tests_must_not_be_compared(tmp_path):
    one = evaluated(make_run(tmp_path, "a-1", 1), 0.5)
    assert "Do not compare" not in notes_on(one)
    other = evaluated(make_run(tmp_path, "b-1", 1, source="lgg:/data/kaggle"), 0.5)
    assert (
        "Do not compare scores between different tests: kaggle by patient at 128; "
        "phantom by patient at 128."
    ) in notes_on(one, other)


def test_seeds_mean_other_test_pictures(tmp_path):
    one, other = (evaluated(make_run(tmp_path, f"a-{n}", 1, seed=n), 0.5) for n in (1, 2))
    assert "different seeds were tested on different pictures" in notes_on(one, other)
    assert "different seeds" not in notes_on(one)


def test_a_split_by_image_flatters(tmp_path):
    assert "its Dice flatters" in notes_on(
        evaluated(make_run(tmp_path, "a-1", 1, split="image"), 0.5)
    )
    loose = make_run(tmp_path, "b-1", 1, split="image", groups_are_volumes=False)
    for run in (loose, make_run(tmp_path, "c-1", 1)):
        assert "flatters" not in notes_on(evaluated(run, 0.5))


def test_two_meanings_of_dice_are_told_apart(tmp_path):
    one = evaluated(make_run(tmp_path, "a-1", 1), 0.5)
    other = evaluated(make_run(tmp_path, "b-1", 1, groups_are_volumes=False), 0.5)
    text = notes_on(one, other)
    assert "mean over volumes of the test part" in text
    assert "mean over images of the test part" in text
    assert "The column 'measure' says which row has which." in text


def test_doubtful_times_are_marked(tmp_path):
    from tests.comparison.run_folders import MACHINE

    one, other = (make_run(tmp_path, f"a-{n}", 1) for n in (1, 2))
    profiled(one, "torch", "weights/best.safetensors", 5.0)
    assert "different machines" not in notes_on(one)
    changed = MACHINE.model_copy(update={"processor": "Other"})
    profiled(other, "torch", "w", 5.0, machine=changed, threads=4, trusted=False)
    text = notes_on(one, other)
    assert "different machines: cpu: Other, 2 cores; cpu: Tester, 2 cores." in text
    assert "different numbers of threads: 1, 4." in text
    assert "~ a time that its profile does not trust." in text


def test_problems_are_said_in_full(tmp_path):
    run = make_run(tmp_path, "a-1", 1, state="failed", error="The loss was [no] number.")
    assert "a-1: The loss was [no] number." in notes_on(run)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("lgg:/data/lgg-jpeg", "lgg-jpeg"),
        ("phantom", "phantom"),
        ("phantom:patients=24,seed=3", "phantom:patients=24,seed=3"),
    ],
)
def test_data_are_called_by_their_folder_or_in_full(source, name):
    assert source_name(source) == name
