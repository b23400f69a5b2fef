"""Measures of masks and heads, on drawn ones whose figures are known."""

import numpy as np
import pytest

from tests.data.in_memory import bar
from tinyseg.data.measures import contrast, head_mask, inside, mask_dice, noise_level

Y, X = np.mgrid[:128, :128]
RADIUS = np.hypot(Y - 64, X - 64)
HEAD = RADIUS < 50


def test_dice_of_masks_by_hand():
    assert mask_dice(bar(0, 3), bar(2, 5)) == 0.5
    assert mask_dice(bar(0, 3), bar(0, 3)) == 1
    assert mask_dice(bar(0, 3), bar(0, -1)) == 0
    assert mask_dice(bar(0, -1), bar(0, -1)) is None


def test_the_head_is_the_largest_bright_region_without_its_holes():
    image = np.zeros((128, 128, 3), np.uint8)
    image[HEAD, 2] = 60
    image[RADIUS < 20] = 0  # a hole, such as the ventricles
    image[:6, :6] = 200  # a bright corner
    found = head_mask(image)
    assert (found != HEAD).mean() < 0.04  # the blur moves the border by 1.7 px
    assert found[64, 64]
    assert not found[0, 0]


def test_nothing_bright_is_no_head():
    assert not head_mask(np.full((32, 32, 3), 9, np.uint8)).any()


def test_inside_is_further_from_the_border():
    assert (inside(HEAD, 14) != (RADIUS < 36)).mean() < 0.01


def test_contrast_is_to_the_ring_alone():
    plane = np.full((128, 128), 40, np.uint8)
    plane[RADIUS < 13] = 7  # within 3 px of the mask: belongs to nobody
    plane[RADIUS < 10] = 60
    plane[RADIUS > 21] = 255  # beyond the ring
    mask = (RADIUS < 10).astype(np.uint8)
    assert contrast(plane, mask, HEAD) == pytest.approx(1.5)
    assert contrast(plane, mask, RADIUS < 5) is None  # no surroundings
    assert contrast(plane, mask * 0, HEAD) is None
    assert contrast(plane * 0, mask, HEAD) is None


@pytest.mark.parametrize("deviation", [2.0, 6.0])
def test_noise_is_found_through_shading(deviation):
    random = np.random.default_rng(0)
    plane = 60 + 0.5 * X + random.normal(0, deviation, X.shape)
    level = noise_level(plane.round().clip(0, 255).astype(np.uint8), HEAD)
    assert level == pytest.approx(deviation, rel=0.15)


def test_odd_sizes_and_empty_regions_have_an_answer():
    plane = np.full((31, 33), 9, np.uint8)
    assert noise_level(plane, np.ones((31, 33), bool)) == 0
    assert noise_level(plane, np.zeros((31, 33), bool)) is None
