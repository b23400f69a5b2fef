"""Parity against float64 arithmetic of its own, and what must never pass."""

import numpy as np
import pytest

from tinyseg.errors import TinysegError
from tinyseg.exporters.parity import GATES, compare

TOLERANCE = 1e-4  # of a probability, in float32


def logits(classes: int = 1, seed: int = 0) -> np.ndarray:
    shape = (3, classes, 16, 16)
    return np.random.default_rng(seed).normal(0, 3, shape).astype(np.float32)


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values.astype(np.float64)))


def test_the_same_logits_are_no_difference_at_all():
    parity = compare(logits(), logits(), threshold=0.5)
    assert (parity.max_abs, parity.mean_abs, parity.flips) == (0, 0, 0)
    assert (parity.images, parity.tolerance, parity.passed) == (3, TOLERANCE, True)


@pytest.mark.parametrize("threshold", [0.5, 0.2])
def test_differences_and_flips_of_one_class(threshold):
    ours = logits()
    theirs = ours + np.random.default_rng(1).normal(0, 0.3, ours.shape).astype(np.float32)
    difference = np.abs(sigmoid(ours) - sigmoid(theirs))
    flips = (sigmoid(ours) >= threshold) != (sigmoid(theirs) >= threshold)
    parity = compare(ours, theirs, threshold=threshold)
    assert parity.max_abs == pytest.approx(difference.max(), abs=1e-6)
    assert parity.mean_abs == pytest.approx(difference.mean(), abs=1e-6)
    assert parity.flips == flips.mean() > 0
    assert not parity.passed


def test_differences_and_flips_of_several_classes():
    from scipy.special import softmax

    ours, theirs = logits(4), logits(4, seed=1)
    first, second = (softmax(each.astype(np.float64), axis=1) for each in (ours, theirs))
    parity = compare(ours, theirs, threshold=0.5)
    assert parity.max_abs == pytest.approx(np.abs(first - second).max(), abs=1e-6)
    assert parity.flips == (first.argmax(1) != second.argmax(1)).mean() > 0


def test_a_single_pixel_beyond_the_tolerance_fails():
    ours = np.zeros((1, 1, 8, 8), np.float32)
    ours[0, 0, 0] = 10  # so that logits may differ more
    within, beyond = ours.copy(), ours.copy()
    within[0, 0, 3, 3] = 4 * 0.9 * TOLERANCE  # the sigmoid's slope at 0 is 1/4
    beyond[0, 0, 3, 3] = 4 * 1.1 * TOLERANCE
    assert compare(ours, within, threshold=0.5).passed
    assert not compare(ours, beyond, threshold=0.5).passed


def test_a_network_that_is_sure_of_everything_hides_nothing():
    sure = 25 + logits()
    assert compare(sure, sure * np.float32(1.003), threshold=0.5).max_abs < TOLERANCE
    parity = compare(sure, sure * np.float32(1.003), threshold=0.5)
    assert parity.logits == pytest.approx(0.003 * sure.max() / np.ptp(sure), rel=1e-3)
    assert not parity.passed
    assert compare(sure, sure * np.float32(1 + 1e-6), threshold=0.5).passed


def test_rounding_of_all_but_constant_logits_is_no_failure():
    flat = np.full((1, 1, 4, 4), 7, np.float32)
    assert compare(flat, np.nextafter(flat, np.float32(8)), threshold=0.5).passed
    assert compare(0 * flat, 0 * flat, threshold=0.5).passed
    assert not compare(0 * flat, 0 * flat + np.float32(1e-4), threshold=0.5).passed


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("classes", [1, 3])
def test_what_is_not_a_number_never_passes(value, classes):
    ours = logits(classes) / 4
    theirs = ours.copy()
    theirs[1, 0, 5, 5] = value
    parity = compare(ours, theirs, threshold=0.5)
    assert not parity.passed
    assert np.isfinite(parity.max_abs)
    assert np.isfinite(parity.mean_abs)


def test_infinity_is_wrong_also_where_the_network_is_all_but_certain():
    certain = np.full((1, 1, 4, 4), 30, np.float32)
    assert compare(certain, certain * np.float32(np.inf), threshold=0.5).max_abs == 1


def test_a_network_that_is_itself_not_a_number_never_passes():
    nan = np.full((1, 1, 4, 4), np.nan, np.float32)
    assert compare(nan, nan, threshold=0.5).max_abs == 1
    assert not compare(nan, nan, threshold=0.5).passed
    assert compare(nan, 0 * logits()[:1, :, :4, :4], threshold=0.5).max_abs == 1


def test_another_shape_is_an_error():
    with pytest.raises(
        TinysegError, match=r"shape \(3, 1, 16, 8\), the network's \(3, 1, 16, 16\)"
    ):
        compare(logits(), logits()[..., :8], threshold=0.5)


def test_the_signal_to_noise_ratio_is_that_of_float64():
    ours = logits()
    noise = np.random.default_rng(1).normal(0, 0.3, ours.shape).astype(np.float32)
    signal, off = (np.square(each.astype(np.float64)).sum() for each in (ours, ours + noise - ours))
    assert compare(ours, ours + noise, threshold=0.5).snr_db == pytest.approx(
        10 * np.log10(signal / off), abs=1e-3
    )
    assert compare(ours, ours, threshold=0.5).snr_db is None


@pytest.mark.parametrize("precision", [name for name in GATES if name != "fp32"])
def test_quantised_files_are_judged_by_their_signal(precision):
    ours = logits()
    least = GATES[precision].least_snr_db
    for decibels, passes in ((least + 0.1, True), (least - 0.1, False)):
        theirs = ours * np.float32(1 + 10 ** (-decibels / 20))
        parity = compare(ours, theirs, threshold=0.5, precision=precision)
        assert parity.snr_db == pytest.approx(decibels, abs=0.01)
        assert (parity.passed, parity.least_snr_db, parity.tolerance) == (passes, least, None)


@pytest.mark.parametrize("precision", GATES)
def test_garbage_passes_at_no_precision(precision):
    ours = logits()
    for theirs in (0 * ours, -ours, logits(seed=1), ours * np.nan):
        assert not compare(ours, theirs, threshold=0.5, precision=precision).passed
