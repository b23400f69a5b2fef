"""What a dataset is said to hold, against counting by hand and against the set's own readme."""

import re

import matplotlib
import numpy as np
import pytest
from PIL import Image

from tests.data.cifar_sets import pixels, write_cifar100
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


def test_every_class_of_the_foreground_is_counted():
    masks = {
        "a-1": bar(0, 4),
        "b-1": 2 * bar(0, 0),
        "c-1": bar(0, 1) + bar(1, 1),
        "d-1": bar(0, -1),
    }
    document = describe_data(InMemory(masks, classes=("spot", "ring", "dot")))
    assert [one.model_dump() for one in document.classes] == [
        {"name": "spot", "images": 2, "share": 24 / 160},
        {"name": "ring", "images": 2, "share": 8 / 160},
        {"name": "dot", "images": 0, "share": 0},
    ]
    assert document.images_with_foreground == 3
    assert document.foreground_share == 32 / 160
    assert document.areas is not None
    assert (document.areas.least, document.areas.most) == (4, 20)
    assert document.split is not None
    parts = [part.images_by_class for part in document.split.parts]
    assert np.sum(parts, 0).tolist() == [2, 2, 0]


@pytest.fixture
def whole_pictures(tmp_path):
    """12 pictures of three classes and 2 of a test part; none of the last class."""
    train = {"data": pixels(12), "fine_labels": [0, 0, 1] * 4}
    test = {"data": pixels(2, 1), "fine_labels": [2, 0]}
    return write_cifar100(tmp_path / "set", train, test, ["plane", "car", "bird", "cat"])


def test_whole_pictures_have_classes_and_no_foreground(whole_pictures):
    document = describe_data(open_dataset(str(whole_pictures)), validation_share=0.25)
    assert [one.model_dump() for one in document.classes] == [
        {"name": "plane", "images": 9, "share": None},
        {"name": "car", "images": 4, "share": None},
        {"name": "bird", "images": 1, "share": None},
        {"name": "cat", "images": 0, "share": None},
    ]
    assert document.sizes == {"32x32": 14}
    assert (document.images_with_foreground, document.foreground_share) == (None, None)
    assert (document.areas, document.contrast, document.noise) == (None, None, None)
    split = document.split
    assert split is not None
    assert (split.own_test, split.test_share, split.leaks) == (True, 2 / 14, [])
    assert [(part.part, part.images, part.images_by_class) for part in split.parts] == [
        ("train", 9, [6, 3, 0, 0]), ("validation", 3, [2, 1, 0, 0]), ("test", 2, [1, 0, 1, 0]),
    ]  # fmt: skip


def test_the_split_of_whole_pictures_is_the_one_that_training_makes(whole_pictures):
    dataset = open_dataset(str(whole_pictures))
    labels = {key: int(dataset.read(key).labels) for key in dataset.keys}
    options = {"by": "image", "seed": 3, "validation_share": 0.3, "test_share": 0.2}
    split = make_split(dataset, labels, **options)
    described = describe_data(dataset, **options).split
    assert described is not None
    for part in described.parts:
        there = [labels[key] for key in split.keys(part.part)]
        assert part.images_by_class == [there.count(label) for label in range(4)]


def test_the_real_slice_is_described_as_its_readme_says(shared_data):
    """Images a class: 0 to 12 of what is not for the test, with a median of 4; 1 to 10, and 5."""
    document = describe_data(open_dataset(str(shared_data / "cifar100")))
    assert document.split is not None
    train, validation, test = (np.array(part.images_by_class) for part in document.split.parts)
    rest = train + validation
    assert (rest.min(), np.median(rest), rest.max(), (rest == 0).sum()) == (0, 4, 12, 1)
    assert (test.min(), np.median(test), test.max()) == (1, 5, 10)


@pytest.mark.parametrize(("classes", "width", "height"), [(4, 900, 276), (100, 1080, 1380)])
def test_classes_are_drawn_as_bars_the_longest_first(tmp_path, classes, width, height):
    names = [f"class-{number}-" for number in range(classes)]
    labels = [label for label in range(classes) for _ in range(1 + label % 3)]
    train = {"data": pixels(len(labels)), "fine_labels": labels}
    write_cifar100(tmp_path / "set", train, names=names)
    document = describe_data(open_dataset(str(tmp_path / "set")))
    plot_parts(document, tmp_path / "classes.png")
    with Image.open(tmp_path / "classes.png") as picture:
        assert picture.size == (width, height)
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        plot_parts(document, tmp_path / "classes.svg")
    text = (tmp_path / "classes.svg").read_text()
    drawn = re.findall(r">(class-\d+-)<", text)
    assert sorted(drawn) == sorted(names)
    counts = {one.name: one.images for one in document.classes}
    assert [counts[name] for name in drawn] == sorted(counts.values(), reverse=True)
