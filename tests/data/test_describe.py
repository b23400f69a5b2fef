"""What a dataset is said to hold, against counting by hand and against the set's own readme."""

import numpy as np
import pytest
from PIL import Image

from tests.data.in_memory import InMemory, bar
from tinyseg.data import describe_data, make_split, open_dataset, plot_parts

MASKS = {
    "a-1": bar(0, -1), "a-2": bar(0, 0), "a-3": bar(0, 4),
    "b-1": bar(0, 1), "c-1": bar(0, -1), "d-1": bar(0, 9),
}  # fmt: skip


def test_counts_by_hand():
    document = describe_data(InMemory(MASKS))
    assert (document.data.images, document.data.groups) == (6, 4)
    assert document.sizes == {"10x4": 6}
    assert document.images_with_foreground == 4
    assert document.foreground_share == (4 + 20 + 8 + 40) / 240
    assert document.areas is not None
    assert document.areas.model_dump() == {
        "least": 4, "lower": 7, "median": 14, "upper": 25, "most": 40,
    }  # fmt: skip
    assert document.images_per_group.most == 3
    assert (document.contrast, document.noise) == (None, None)


@pytest.mark.parametrize("by", ["patient", "image"])
def test_the_split_is_the_one_that_training_makes(by):
    dataset = InMemory(MASKS)
    options = {"by": by, "seed": 2, "validation_share": 0.3, "test_share": 0.2}
    split = make_split(dataset, {key: int(m.any()) for key, m in MASKS.items()}, **options)
    described = describe_data(dataset, **options).split
    assert described is not None
    for part in described.parts:
        keys = split.keys(part.part)
        assert part.images == len(keys)
        assert part.groups == len({key[0] for key in keys})
        assert part.images_with_foreground == sum(bool(MASKS[key].any()) for key in keys)


def test_only_a_split_by_image_leaks():
    dataset = open_dataset("phantom:patients=4")
    assert describe_data(dataset, by="patient").split.leaks == []
    leaks = describe_data(dataset, by="image").split.leaks
    assert [(leak.part, leak.shared_groups) for leak in leaks] == [("validation", 4), ("test", 4)]


def test_pictures_of_several_sizes_in_a_group_can_be_audited():
    masks = {f"a-{n}": np.ones((n, 2 * n), np.uint8) for n in range(1, 13)}
    leaks = describe_data(InMemory(masks), by="image").split.leaks
    assert [leak.neighbour_dice_median for leak in leaks] == [1.0, 1.0]


def test_too_little_for_a_split_is_still_described():
    document = describe_data(InMemory({"a-1": bar(0, 1), "b-1": bar(0, 2)}))
    assert (document.split, document.images_with_foreground) == (None, 2)


def test_no_foreground_at_all():
    document = describe_data(InMemory({f"{c}-1": bar(0, -1) for c in "abc"}))
    assert (document.areas, document.foreground_share) == (None, 0)


def test_real_volumes_are_as_their_readme_says(shared_data):
    """423 slices of 18 patients, 150 with tumour; FLAIR ratio 1.65 and noise 2.2 in all 110."""
    document = describe_data(open_dataset(str(shared_data / "lgg")))
    assert (document.data.images, document.data.groups) == (423, 18)
    assert document.images_with_foreground == 150
    assert document.sizes == {"256x256": 423}
    assert document.contrast is not None
    assert document.contrast.median == pytest.approx(1.65, abs=0.1)
    assert document.noise is not None
    assert 0.7 <= document.noise.median <= 3


def test_the_bars_are_as_high_as_the_counts(tmp_path):
    document = describe_data(InMemory(MASKS))
    plot_parts(document, tmp_path / "parts.svg")
    text = (tmp_path / "parts.svg").read_text()
    assert "<svg" in text
    plot_parts(document, tmp_path / "parts.png")
    with Image.open(tmp_path / "parts.png") as picture:
        assert picture.size == (900, 540)
        assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts.png", "parts.svg"]
