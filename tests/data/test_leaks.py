"""The leak audit, by hand and on volumes that are split by slice."""

import numpy as np
import pytest

from tests.data.in_memory import InMemory, bar
from tinyseg.data import audit_leaks, load_pictures, make_split, open_dataset
from tinyseg.runs.records import SplitRecord

# Volume a: columns marked 0-3, 0-3, 2-5, 4-7, none. Volume b: two slices. Volume c: alone.
MASKS = {
    "a-1": bar(0, 3), "a-2": bar(0, 3), "a-3": bar(2, 5), "a-4": bar(4, 7), "a-5": bar(0, -1),
    "b-1": bar(0, 1), "b-2": bar(0, 9),
    "c-1": bar(3, 3),
}  # fmt: skip
DATASET = InMemory(MASKS)


def split(train, validation, test) -> SplitRecord:
    return SplitRecord(
        by="image", seed=0, validation_share=0.2, test_share=0.2,
        train=train, validation=validation, test=test,
    )  # fmt: skip


def test_a_split_by_patient_leaks_nothing():
    record = split(["a-1", "a-2", "a-3", "a-4", "a-5"], ["b-1", "b-2"], ["c-1"])
    assert audit_leaks(DATASET, record, MASKS) == []


def test_the_nearest_training_slice_is_copied():
    """a-3's neighbours a-2 and a-4 are equally far: the lower counts, Dice 2*2/(4+4) = 0.5.

    a-5 has no foreground and is not counted; b-2's only training slice is b-1: 2*2/(2+10) = 1/3.
    """
    record = split(["a-1", "a-2", "a-4", "b-1"], ["a-3", "a-5", "b-2"], ["c-1"])
    (leak,) = audit_leaks(DATASET, record, MASKS)
    assert (leak.part, leak.groups, leak.shared_groups, leak.pictures) == ("validation", 2, 2, 2)
    assert leak.neighbour_dice_median == pytest.approx((0.5 + 1 / 3) / 2)


def test_each_part_has_its_own_leak():
    record = split(["a-1", "b-1"], ["a-2"], ["a-4", "c-1", "b-2"])
    validation, test = audit_leaks(DATASET, record, MASKS)
    assert (validation.part, validation.groups, validation.neighbour_dice_median) == (
        "validation", 1, 1.0,
    )  # fmt: skip
    assert (test.part, test.groups, test.shared_groups, test.pictures) == ("test", 3, 2, 2)
    assert test.neighbour_dice_median == pytest.approx((0 + 1 / 3) / 2)


def test_foreground_of_whichever_class_is_compared():
    """Where a neighbour has another class, it is foreground too: Dice is that of one class."""
    marked = {key: mask * np.uint8(2) for key, mask in MASKS.items()}
    marked["a-2"][:, 1:3] = 1
    record = split(["a-1", "a-2", "a-4", "b-1"], ["a-3", "a-5", "b-2"], ["c-1"])
    assert audit_leaks(DATASET, record, marked) == audit_leaks(DATASET, record, MASKS)


def test_a_part_without_foreground_still_leaks():
    record = split(["a-1", "a-2", "a-3", "a-4"], ["a-5"], ["c-1"])
    (leak,) = audit_leaks(DATASET, record, MASKS)
    assert (leak.shared_groups, leak.pictures, leak.neighbour_dice_median) == (1, 0, None)


def test_slices_of_volumes_leak_as_much_as_measured_on_real_ones():
    """Copying a neighbour's mask scores a median of 0.80 on the LGG set."""
    dataset = open_dataset("phantom:patients=8")
    pictures = load_pictures(dataset, dataset.keys, 128)
    options = {"seed": 0, "validation_share": 0.15, "test_share": 0.15}
    by_image = make_split(dataset, pictures.strata_by_key, by="image", **options)
    by_patient = make_split(dataset, pictures.strata_by_key, by="patient", **options)
    leaks = audit_leaks(dataset, by_image, pictures.labels_by_key)
    assert [leak.part for leak in leaks] == ["validation", "test"]
    for leak in leaks:
        assert leak.shared_groups == leak.groups
        assert leak.neighbour_dice_median is not None
        assert 0.7 < leak.neighbour_dice_median < 0.92
    assert audit_leaks(dataset, by_patient, pictures.labels_by_key) == []
