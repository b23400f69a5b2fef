"""Dice and IoU in their meanings, against arithmetic by hand and plain loops."""

import numpy as np
import pytest

from tinyseg.errors import TinysegError
from tinyseg.evaluation import (
    ImageCounts,
    dice,
    difference,
    headline,
    iou,
    mean,
    read_table,
    score,
    write_table,
)  # fmt: skip
from tinyseg.evaluation.dice import count_pixels
from tinyseg.evaluation.scores import score_classes
from tinyseg.runs.records import Scores, SegmentationEvaluation


def table(*rows: tuple[str, str, int, int, int]) -> ImageCounts:
    keys, groups, *counts = zip(*rows, strict=True)
    return ImageCounts(list(keys), list(groups), *(np.array(column)[None] for column in counts))


# Patient a: one slice half right, one empty and left empty. Patient b: a slice missed altogether,
# and one with pixels where there is nothing.
PATIENTS = table(
    ("a-1", "a", 30, 10, 20), ("a-2", "a", 0, 0, 0), ("b-1", "b", 0, 0, 8), ("b-2", "b", 0, 2, 0)
)


def test_pixels_are_counted_image_by_image():
    random = np.random.default_rng(0)
    labels, masks = random.integers(0, 2, (2, 4, 6, 5), np.uint8)
    for image, (tp, fp, fn) in enumerate(count_pixels(labels, masks)[:, 0].T):
        pairs = list(zip(labels[image].flat, masks[image].flat, strict=True))
        assert (tp, fp, fn) == (pairs.count((1, 1)), pairs.count((1, 0)), pairs.count((0, 1)))


def test_empty_masks_count_by_the_rule():
    assert dice(0, 0, 0) == iou(0, 0, 0) == 1
    assert dice(0, 5, 0) == iou(0, 5, 0) == 0
    assert dice(0, 0, 5) == iou(0, 0, 5) == 0


def test_the_three_meanings_by_hand():
    scores = score(PATIENTS, dice, groups_are_volumes=True)
    assert scores.per_image.mean == pytest.approx((60 / 90 + 1 + 0 + 0) / 4)
    assert scores.per_volume is not None
    assert scores.per_volume.mean == pytest.approx((60 / 90 + 0) / 2)
    assert scores.pooled == pytest.approx(60 / (60 + 12 + 28))
    assert "both empty" in scores.per_image.empty_rule


def test_iou_by_hand():
    scores = score(PATIENTS, iou, groups_are_volumes=True)
    assert scores.per_image.mean == pytest.approx((30 / 60 + 1) / 4)
    assert scores.pooled == pytest.approx(30 / 70)


def test_the_mean_over_volumes_stands_first_where_there_are_volumes():
    with_volumes = score(PATIENTS, dice, groups_are_volumes=True)
    without = score(PATIENTS, dice, groups_are_volumes=False)
    assert headline(record_of(with_volumes)) == ("per_volume", with_volumes.per_volume)
    assert without.per_volume is None
    assert headline(record_of(without)) == ("per_image", without.per_image)
    for volumes, scores in ((True, with_volumes), (False, without)):
        measure, estimate = mean(PATIENTS, groups_are_volumes=volumes)
        expected, first = headline(record_of(scores))
        assert (measure, estimate.mean) == (expected, first.mean)


def record_of(scores: Scores) -> SegmentationEvaluation:
    return SegmentationEvaluation(
        subject="", split="test", data="", size=8, images=4, groups=2, threshold=0.5,
        dice=scores, iou=scores, baselines={}, per_class=[],
    )  # fmt: skip


def test_differences_are_paired():
    better = table(
        ("a-1", "a", 40, 10, 10), ("a-2", "a", 0, 0, 0),
        ("b-1", "b", 4, 0, 4), ("b-2", "b", 0, 2, 0),
    )  # fmt: skip
    per_volume = difference(better, PATIENTS, groups_are_volumes=True)
    assert per_volume.mean == pytest.approx(((80 / 100 - 60 / 90) + (8 / 14 - 0)) / 2)
    per_image = difference(better, PATIENTS, groups_are_volumes=False)
    assert per_image.mean == pytest.approx(((80 / 100 - 60 / 90) + 0 + 8 / 12 + 0) / 4)
    same = difference(better, better, groups_are_volumes=True)
    assert (same.mean, same.ci95) == (0, (0, 0))


def test_differences_need_the_same_images():
    with pytest.raises(TinysegError, match="same images"):
        difference(PATIENTS, table(("a-1", "a", 1, 1, 1)), groups_are_volumes=True)


def test_the_table_comes_back_as_written(tmp_path):
    path = tmp_path / "evaluation.csv"
    write_table(path, PATIENTS)
    assert path.read_text().splitlines()[0] == "key,group,tp,fp,fn,dice,iou"
    back = read_table(path)
    assert back[:2] == PATIENTS[:2]
    assert np.array_equal(back[2:], PATIENTS[2:])


@pytest.mark.parametrize("text", [None, "key,group\na,b\n", "key,group,tp,fp,fn\na,b,1,2\n"])
def test_a_missing_or_foreign_table_is_named(tmp_path, text):
    path = tmp_path / "evaluation.csv"
    if text:
        path.write_text(text)
    with pytest.raises(TinysegError, match=r"evaluation\.csv should be a table"):
        read_table(path)


def two_classes() -> ImageCounts:
    """The first class is found half, and missed; the second is rightly absent, and invented."""
    counts = ([[5, 0], [0, 0]], [[0, 0], [0, 3]], [[10, 4], [0, 0]])
    return ImageCounts(["a", "b"], ["a", "b"], *map(np.array, counts))


def test_pixels_are_counted_class_by_class():
    random = np.random.default_rng(0)
    labels, masks = random.integers(0, 4, (2, 3, 7, 5), np.uint8)
    counts = count_pixels(labels, masks, 3)
    for number in range(3):
        alone = count_pixels(*(np.uint8(picture == number + 1) for picture in (labels, masks)))
        assert np.array_equal(counts[:, number], alone[:, 0])


def test_several_classes_score_their_mean():
    scores = score(two_classes(), dice, groups_are_volumes=False)
    assert scores.per_image.mean == pytest.approx(((10 / 20 + 1) / 2 + 0) / 2)
    assert scores.pooled == pytest.approx((10 / 24 + 0) / 2)
    first, second = score_classes(two_classes(), ["one", "two"], groups_are_volumes=False)
    assert (first.name, first.dice.per_image.mean) == ("one", 10 / 20 / 2)
    assert (second.name, second.dice.per_image.mean) == ("two", 1 / 2)


def test_a_table_of_several_classes_comes_back_as_written(tmp_path):
    path = tmp_path / "evaluation.csv"
    write_table(path, two_classes())
    assert path.read_text().splitlines()[0] == "key,group,tp_1,fp_1,fn_1,tp_2,fp_2,fn_2,dice,iou"
    back = read_table(path)
    assert all(np.array_equal(a, b) for a, b in zip(back[2:], two_classes()[2:], strict=True))
