"""Splits: nothing torn, every part its share of both kinds, the same for the same seed."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.in_memory import InMemory, bar
from tinyseg.data import make_split
from tinyseg.errors import UsageError
from tinyseg.runs.records import SplitRecord


def volumes(marked: int, empty: int, slices: int = 3) -> InMemory:
    """Groups p0, p1, ... whose middle slice is marked, and groups without any."""
    masks = {
        f"p{number:02d}-{place}": bar(0, 4 if number < marked and place == 1 else -1)
        for number in range(marked + empty)
        for place in range(slices)
    }
    return InMemory(masks)


def split(dataset, by="patient", seed=0, validation=0.15, test=0.15) -> SplitRecord:
    foreground = {key: int(mask.any()) for key, mask in dataset.masks.items()}
    return make_split(
        dataset, foreground, by=by, seed=seed, validation_share=validation, test_share=test
    )


def parts(record: SplitRecord) -> list[list[str]]:
    return [record.train, record.validation, record.test]


@settings(max_examples=60, deadline=None)
@given(
    marked=st.integers(0, 12),
    empty=st.integers(0, 12),
    seed=st.integers(0, 99),
    by=st.sampled_from(["patient", "image"]),
    validation=st.floats(0.05, 0.4),
    test=st.floats(0.05, 0.4),
)
def test_every_key_is_in_one_part_and_no_patient_in_two(marked, empty, seed, by, validation, test):
    dataset = volumes(marked, empty)
    try:
        record = split(dataset, by, seed, validation, test)
    except UsageError:
        assert marked + empty < 6  # too few
        return
    assert sorted(key for part in parts(record) for key in part) == sorted(dataset.keys)
    assert all(parts(record))
    if by == "patient":
        groups = [{dataset.group(key) for key in part} for part in parts(record)]
        assert sum(map(len, groups)) == marked + empty


@pytest.mark.parametrize("by", ["patient", "image"])
def test_shares_are_kept_and_both_kinds_spread(by):
    dataset = volumes(marked=60, empty=40)
    record = split(dataset, by, validation=0.2, test=0.1)
    units = 100 if by == "patient" else 300
    sizes = [len({dataset.group(k) if by == "patient" else k for k in p}) for p in parts(record)]
    assert sizes == [units * 7 // 10, units // 5, units // 10]
    for part in parts(record):
        marked = {
            dataset.group(k) if by == "patient" else k for k in part if dataset.masks[k].any()
        }
        all_ = {dataset.group(k) if by == "patient" else k for k in part}
        assert len(marked) / len(all_) == pytest.approx(0.6 if by == "patient" else 0.2, abs=0.04)


def test_the_order_of_files_does_not_matter():
    dataset = volumes(10, 5)
    shuffled = dict(sorted(dataset.masks.items(), key=lambda item: item[0][::-1]))
    one, other = split(dataset, seed=4), split(InMemory(shuffled), seed=4)
    assert [sorted(part) for part in parts(one)] == [sorted(part) for part in parts(other)]


def test_within_a_part_slices_keep_their_order():
    dataset = volumes(10, 5, slices=12)
    places = {key: place for place, key in enumerate(dataset.keys)}
    for part in parts(split(dataset)):
        assert part == sorted(part, key=places.__getitem__)


def test_seeds_make_other_splits_and_the_same_seed_the_same():
    dataset = volumes(20, 10)
    tests = {tuple(split(dataset, seed=seed).test) for seed in range(6)}
    assert len(tests) == 6
    assert split(dataset, seed=3) == split(dataset, seed=3)


def test_over_seeds_every_patient_is_tested_about_as_often():
    """2 of 10 groups a seed: 40 times each in 200 seeds, give or take chance."""
    dataset = volumes(6, 4)
    counts = Counter(
        group
        for seed in range(200)
        for group in {dataset.group(key) for key in split(dataset, seed=seed, test=0.2).test}
    )
    assert len(counts) == 10
    assert min(counts.values()) > 15
    assert max(counts.values()) < 70


def test_the_split_does_not_change_between_versions():
    """Runs that were split before must be comparable with runs that are split now."""
    record = split(volumes(12, 8, slices=2))
    assert record.validation[::2] == ["p02-0", "p06-0", "p19-0"]
    assert record.test[::2] == ["p01-0", "p11-0", "p17-0"]


@pytest.mark.parametrize(("validation", "test"), [(0, 0.2), (0.2, 0), (0.5, 0.5), (-0.1, 0.3)])
def test_shares_that_leave_nothing_are_refused(validation, test):
    with pytest.raises(UsageError, match="leave a part empty"):
        split(volumes(5, 5), validation=validation, test=test)


def test_too_few_groups_are_refused():
    with pytest.raises(UsageError, match="2 groups or pictures are too few"):
        split(volumes(1, 1))


def test_three_groups_make_three_parts():
    assert [len(part) for part in parts(split(volumes(3, 0)))] == [3, 3, 3]


def test_keys_by_part():
    record = split(volumes(5, 5))
    assert record.keys("validation") == record.validation
    assert np.intersect1d(record.keys("train"), record.keys("test")).size == 0
