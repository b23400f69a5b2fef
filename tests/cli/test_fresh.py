"""What a network is shaped like where a command is not told."""

from pathlib import Path

import pytest

from tinyseg.cli.fresh import resolve_subject


@pytest.mark.parametrize(
    ("name", "given", "shape", "classes"),
    [
        ("ul-vm-unet", {}, (1, 3, 256, 256), 1),
        ("vit", {}, (1, 3, 32, 32), 100),
        ("vit", {"size": 64, "classes": 10, "in_channels": 1}, (1, 1, 64, 64), 10),
    ],
)
def test_it_has_its_own_size_and_classes(name, given, shape, classes):
    options = {"size": None, "classes": None, "in_channels": None, "seed": None, **given}
    subject = resolve_subject(name, runs=Path("runs"), settings=[], **options)
    assert (subject.input_shape, len(subject.classes)) == (shape, classes)
