"""Pictures in memory: what was read, at one size, in the order of the keys."""

import numpy as np
import pytest

from tests.data.in_memory import InMemory, bar
from tinyseg.data import load_pictures, open_dataset
from tinyseg.errors import TinysegError

RANDOM = np.random.default_rng(0)
MASKS = {f"g{n % 3}-{n}": bar(0, n % 4 - 1) for n in range(20)}
IMAGES = {key: RANDOM.integers(0, 256, (4, 10, 3), dtype=np.uint8) for key in MASKS}
DATASET = InMemory(MASKS, images=IMAGES)


def test_order_groups_and_foreground_are_the_keys_own():
    keys = list(MASKS)[::-2]
    pictures = load_pictures(DATASET, keys, 10)
    assert (len(pictures), pictures.keys) == (10, keys)
    assert pictures.groups == [key.partition("-")[0] for key in keys]
    assert pictures.strata_by_key == {key: int(MASKS[key].any()) for key in keys}
    assert pictures.images.shape == (10, 10, 10, 3)
    for place, key in enumerate(keys):
        assert np.array_equal(pictures.labels_by_key[key], pictures.labels[place])
        assert pictures.labels[place][5].tolist() == MASKS[key][2].tolist()


def test_foreground_is_that_of_the_file_even_where_shrinking_loses_it():
    mask = np.zeros((64, 64), np.uint8)
    mask[3, 3] = 1
    pictures = load_pictures(InMemory({"a-1": mask}), ["a-1"], 8)
    assert (pictures.labels.any(), pictures.strata.tolist()) == (False, [1])


def test_foreground_of_whichever_class_counts():
    masks = {"a-1": bar(0, 3) * np.uint8(2), "a-2": bar(0, 3), "a-3": bar(0, -1)}
    pictures = load_pictures(InMemory(masks, classes=("one", "two")), list(masks), 10)
    assert pictures.strata.tolist() == [1, 1, 0]
    assert [np.unique(labels).tolist() for labels in pictures.labels] == [[0, 2], [0, 1], [0]]


def test_a_part_is_a_copy_in_its_own_order():
    whole = load_pictures(DATASET, list(MASKS), 10)
    part = whole.part(["g2-5", "g0-0"])
    assert (part.keys, part.groups) == (["g2-5", "g0-0"], ["g2", "g0"])
    assert np.array_equal(part.images[1], whole.images[0])
    part.images[:] = 0
    assert whole.images[0].any()


def test_mean_and_deviation_are_those_of_float64():
    pictures = load_pictures(DATASET, list(MASKS), 10)
    mean, std = pictures.mean_std()
    values = pictures.images.astype(np.float64) / 255
    assert mean == pytest.approx(values.mean(axis=(0, 1, 2)), abs=1e-12)
    assert std == pytest.approx(values.std(axis=(0, 1, 2)), abs=1e-12)


def test_progress_is_told_up_to_the_end():
    told = []
    load_pictures(DATASET, list(MASKS), 8, lambda *what: told.append(what))
    assert told[-1] == ("Reading pictures", 20, 20, "")
    assert [done for _, done, _, _ in told] == list(range(1, 21))


def test_an_unreadable_picture_stops_the_reading():
    class Broken(InMemory):
        def read(self, key):
            if key == "g1-7":
                raise TinysegError("The picture g1-7 cannot be read.")
            return super().read(key)

    with pytest.raises(TinysegError, match="g1-7 cannot be read"):
        load_pictures(Broken(MASKS), list(MASKS), 8)


def test_real_slices_at_their_own_size_are_unchanged(shared_data):
    dataset = open_dataset(str(shared_data / "lgg"))
    keys = dataset.keys[5:9]
    pictures = load_pictures(dataset, keys, 256)
    for place, key in enumerate(keys):
        assert np.array_equal(pictures.images[place], dataset.read(key).image)
