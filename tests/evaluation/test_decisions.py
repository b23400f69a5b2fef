"""Logits become labels in one place."""

import numpy as np
import pytest
from scipy import special

from tinyseg.evaluation import decide, probabilities

LOGITS = np.random.default_rng(0).normal(0, 4, (2, 3, 5, 7)).astype(np.float32)


def test_one_class_is_a_sigmoid():
    one = LOGITS[:, :1]
    assert probabilities(one) == pytest.approx(special.expit(one), abs=2e-7)


def test_several_classes_are_a_softmax():
    assert probabilities(LOGITS) == pytest.approx(special.softmax(LOGITS, axis=1), abs=1e-6)


def test_huge_logits_neither_warn_nor_break():
    huge = np.array([-1e30, -200, 0, 200, 1e30], np.float32)
    assert probabilities(huge.reshape(1, 1, 1, 5)).ravel().tolist() == [0, 0, 0.5, 1, 1]
    assert probabilities(huge.reshape(1, 5, 1, 1)).ravel().tolist() == [0, 0, 0, 0, 1]


def test_a_pixel_belongs_to_the_class_from_the_threshold_on():
    given = np.array([0.29, 0.3, 0.31], np.float32).reshape(1, 1, 1, 3)
    assert decide(given, 0.3).tolist() == [[[0, 1, 1]]]


def test_the_most_probable_of_several_classes_wins():
    labels = decide(probabilities(LOGITS), 0.5)
    assert labels.dtype == np.uint8
    assert (labels == LOGITS.argmax(axis=1)).all()
