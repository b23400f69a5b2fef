"""Top-1, top-5 and macro F1 against other implementations."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_f1_score,
    multiclass_precision,
    multiclass_recall,
)

from tinyseg.errors import TinysegError
from tinyseg.evaluation import (
    ImageLabels,
    difference,
    mean,
    probabilities,
    rank_labels,
    read_table,
    tally,
    write_table,
)
from tinyseg.evaluation.recognition import count_classes, macro_f1, top
from tinyseg.evaluation.scores import score_recognition

CLASSES = 12
RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, CLASSES - 2, 200).astype(np.uint8)  # two classes never occur
LOGITS = RANDOM.normal(0, 1, (200, CLASSES)).astype(np.float32)
LOGITS[np.arange(200), LABELS] += 1
LOGITS[:, -1] = -9  # and one of them is never taken for anything


def table() -> ImageLabels:
    keys = [f"{number}" for number in range(200)]
    return ImageLabels(keys, keys, *tally(LOGITS, LABELS, 0.5))


def test_they_are_what_torchmetrics_has():
    logits, labels = torch.from_numpy(LOGITS), torch.from_numpy(LABELS).long()
    top1, top5, f1, classes = score_recognition(table(), [f"{n}" for n in range(CLASSES)])
    for places, found in ((1, top1.mean), (5, top5.mean)):
        accuracy = multiclass_accuracy(logits, labels, CLASSES, top_k=places, average="micro")
        assert found == pytest.approx(accuracy.item())
    assert f1 == pytest.approx(multiclass_f1_score(logits, labels, CLASSES).item())
    for name, measure in (("recall", multiclass_recall), ("precision", multiclass_precision)):
        expected = measure(logits, labels, CLASSES, average="none")
        ours = [getattr(found, name) or 0 for found in classes]
        assert ours == pytest.approx(expected.tolist())
    assert [found.recall is None for found in classes] == [False] * 10 + [True] * 2
    assert (classes[-1].precision, classes[-1].f1) == (None, None)


def test_ranks_are_places_in_the_order_of_probability():
    likely = probabilities(LOGITS)
    _, predicted, rank = rank_labels(likely, LABELS)
    order = np.argsort(-likely, axis=1, kind="stable")
    assert np.array_equal(predicted, order[:, 0])
    assert np.array_equal(order[np.arange(200), rank - 1], LABELS)


def test_of_equal_probabilities_the_lower_number_comes_first():
    labels = np.array([0, 1, 3], np.uint8)
    _, predicted, rank = rank_labels(np.full((3, 4), 0.25, np.float32), labels)
    assert (predicted.tolist(), rank.tolist()) == ([0, 0, 0], [1, 2, 4])


def test_the_headline_is_top_1_and_differences_are_paired():
    measure, estimate = mean(table(), groups_are_volumes=False)
    assert (measure, estimate.mean) == ("top1", top(table(), 1).mean())
    worse = table()._replace(rank=np.maximum(table().rank, 1 + (np.arange(200) % 2)))
    lost = difference(table(), worse, groups_are_volumes=False).mean
    assert lost == pytest.approx((top(table(), 1) - top(worse, 1)).mean())
    assert lost > 0.1


def test_the_table_comes_back_as_written(tmp_path):
    path = tmp_path / "evaluation.csv"
    write_table(path, table())
    assert path.read_text().splitlines()[0] == "key,group,label,predicted,rank"
    back = read_table(path)
    assert isinstance(back, ImageLabels)
    assert all(np.array_equal(a, b) for a, b in zip(back, table(), strict=True))


def test_masks_and_whole_pictures_are_never_compared(tmp_path):
    from tinyseg.evaluation import ImageCounts

    keys = table().keys
    masks = ImageCounts(keys, keys, *np.zeros((3, 1, 200), np.int64))
    with pytest.raises(TinysegError, match="same images"):
        difference(table(), masks, groups_are_volumes=False)


def test_a_class_that_never_occurs_counts_only_where_it_is_taken():
    counts = count_classes(table(), CLASSES)
    assert macro_f1(counts) == pytest.approx(np.mean(counts.f1[:-1]))
