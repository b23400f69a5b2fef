"""`tinyseg count` as users meet it."""

import re

import pytest

from tests.command import tinyseg
from tinyseg.runs.records import CountRecord


def shown(*options: str, subject: str = "ul-vm-unet", width: int = 80) -> str:
    done = tinyseg("count", subject, *options, environment={"COLUMNS": str(width)})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("width", [80, 160])
def test_conventions_stand_side_by_side_when_asked_for(width):
    plain, explained = shown(width=width), shown("--explain", width=width)
    assert explained.startswith(plain)
    assert "60,240,000" not in plain
    assert max(map(len, explained.splitlines())) <= width
    assert "…" not in explained
    cells = " ".join(re.sub("[│┃]", " ", explained).split())
    for part in (
        "fvcore 72,876,864 MACs",
        "scan, 4 B L D N + 3 B L D 6,860,800 MACs",
        "2 x (fvcore + scan) 159,475,328 FLOPs",
        "scan, 9 B L D N 14,745,600 FLOPs",
        "thop, fused Mamba 60,240,000 MACs all inside Mamba",
    ):
        assert part in cells


def test_the_document_has_them_either_way():
    documents = [shown("--json"), shown("--json", "--explain")]
    assert documents[0] == documents[1]
    record = CountRecord.model_validate_json(documents[0])
    assert record.conventions[-1].value == 60_240_000


@pytest.mark.parametrize(
    ("subject", "options", "shape", "parameters"),
    [
        ("ul-vm-unet", [], (1, 3, 256, 256), 49_457),
        ("vim", [], (1, 3, 32, 32), 1_832_980),
        ("resnet9", ["--input", "1x1x16x48", "--classes", "10"], (1, 1, 16, 48), 6_571_978),
    ],
)
def test_a_network_has_a_usual_size_and_number_of_classes(subject, options, shape, parameters):
    record = CountRecord.model_validate_json(shown("--json", *options, subject=subject))
    assert (record.network, record.input, record.parameters) == (subject, shape, parameters)
    assert sum(stage.macs for stage in record.stages) == record.macs.total > 0


def test_a_side_that_patches_do_not_fill_is_a_wrong_usage():
    done = tinyseg("count", "vim", "--input", "1x3x32x30")
    assert (done.returncode, done.stdout) == (2, "")
    assert "multiples of 4, not 32x30" in done.stderr
