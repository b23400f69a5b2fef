"""Resize and normalise, against float64 and an independent resampling."""

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from scipy import ndimage

from tinyseg.data import Preprocessing
from tinyseg.data.preprocessing import resize_image, resize_mask

RANDOM = np.random.default_rng(0)
PICTURE = RANDOM.integers(0, 256, (30, 40, 3), dtype=np.uint8)
PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


def test_normalising_is_value_over_255_less_mean_over_deviation():
    preprocessing = Preprocessing(size=30, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))
    images = RANDOM.integers(0, 256, (2, 30, 30, 3), dtype=np.uint8)
    result = preprocessing.normalise(images)
    expected = (images / 255.0 - np.array([0.1, 0.2, 0.3])) / np.array([0.5, 0.25, 2.0])
    assert (result.dtype, result.shape) == (np.float32, (2, 3, 30, 30))
    assert result.flags.c_contiguous
    assert np.abs(result - expected.transpose(0, 3, 1, 2)).max() < 1e-6


def test_pictures_of_any_size_become_one_batch():
    batch = Preprocessing(size=16, **PLAIN)([PICTURE, PICTURE[:12, :12], PICTURE[:16, :16]])
    assert batch.shape == (3, 3, 16, 16)
    assert batch[2] == pytest.approx(PICTURE[:16, :16].transpose(2, 0, 1) / 255, abs=1e-7)


def test_a_picture_of_the_right_size_is_not_touched():
    assert np.array_equal(resize_image(PICTURE, (30, 40)), PICTURE)


def test_colour_is_resized_as_pillow_resizes_it_whole():
    expected = np.asarray(Image.fromarray(PICTURE).resize((24, 18), Image.Resampling.BILINEAR))
    assert np.array_equal(resize_image(PICTURE, (18, 24)), expected)


def test_five_channels_are_five_planes():
    five = RANDOM.integers(0, 256, (20, 20, 5), dtype=np.uint8)
    resized = resize_image(five, (10, 10))
    assert resized.shape == (10, 10, 5)
    assert np.array_equal(resized[..., 4:5], resize_image(five[..., 4:5], (10, 10)))


def test_shrinking_averages_over_the_area_so_that_nothing_falls_through():
    dots = np.zeros((64, 64, 1), np.uint8)
    dots[::8, ::8] = 255  # a picture that picks every eighth pixel would miss or double them
    assert resize_image(dots, (8, 8)).mean() == pytest.approx(255 / 64, abs=1.5)


def test_enlarging_is_bilinear():
    small = np.array([[0, 200], [100, 40]], np.uint8)[..., None]
    big = resize_image(small, (8, 8))[..., 0].astype(float)
    places = (np.arange(8) + 0.5) / 4 - 0.5
    grid = np.meshgrid(places, places, indexing="ij")
    expected = ndimage.map_coordinates(small[..., 0].astype(float), grid, order=1, mode="nearest")
    assert np.abs(big - expected).max() <= 1


@pytest.mark.parametrize("factor", [2, 3, 6])
def test_a_mask_pixel_is_foreground_where_half_of_it_was(factor):
    mask = (RANDOM.random((12 * factor, 12 * factor)) < 0.5).astype(np.uint8)
    share = mask.reshape(12, factor, 12, factor).mean(axis=(1, 3))
    assert np.array_equal(resize_mask(mask, (12, 12)), (share >= 0.5).astype(np.uint8))


def test_an_enlarged_mask_stays_one_of_0_and_1():
    mask = np.eye(5, dtype=np.uint8)
    assert np.array_equal(resize_mask(mask, (20, 20)), np.kron(mask, np.ones((4, 4), np.uint8)))


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_of_several_labels_the_largest_share_wins(factor):
    labels = RANDOM.integers(0, 4, (12 * factor, 12 * factor), dtype=np.uint8)
    blocks = labels.reshape(12, factor, 12, factor).swapaxes(1, 2).reshape(12, 12, -1)
    shares = np.stack([(blocks == label).sum(axis=2) for label in (1, 2, 3, 0)])
    expected = np.array([1, 2, 3, 0])[shares.argmax(axis=0)]  # of equal ones, the first
    assert np.array_equal(resize_mask(labels, (12, 12)), expected)
    assert resize_mask(labels, (12, 12)).dtype == np.uint8


def test_at_equal_shares_a_class_goes_before_the_background_and_the_lower_label_first():
    assert resize_mask(np.array([[0, 7]], np.uint8), (1, 1)).tolist() == [[7]]
    assert resize_mask(np.array([[9, 4]], np.uint8), (1, 1)).tolist() == [[4]]
    assert resize_mask(np.array([[0, 0, 2, 5]], np.uint8), (1, 1)).tolist() == [[0]]


@pytest.mark.parametrize(("height", "width"), [(17, 50), (64, 64), (101, 33), (9, 120)])
def test_whatever_its_label_a_single_class_is_resized_alike(height, width):
    """As before there were several: Pillow's area average in 8 bits, from 128 on."""
    mask = (RANDOM.random((60, 45)) < 0.5).astype(np.uint8)
    share = Image.fromarray(mask * np.uint8(255)).resize((width, height), Image.Resampling.BOX)
    expected = (np.asarray(share) >= 128).astype(np.uint8)
    assert np.array_equal(resize_mask(mask, (height, width)), expected)
    assert np.array_equal(resize_mask(mask * np.uint8(255), (height, width)), expected * 255)


def test_enlarged_labels_stay_what_they_were():
    labels = RANDOM.integers(0, 5, (5, 7), dtype=np.uint8)
    assert np.array_equal(resize_mask(labels, (15, 21)), np.kron(labels, np.ones((3, 3), np.uint8)))
    preprocessing = Preprocessing(size=7, **PLAIN)
    assert set(np.unique(preprocessing.resize_mask(labels))) <= set(range(5))


def test_it_survives_being_saved_and_refuses_what_it_does_not_know():
    preprocessing = Preprocessing(size=64, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))
    assert Preprocessing.model_validate_json(preprocessing.model_dump_json()) == preprocessing
    with pytest.raises(ValidationError):
        Preprocessing(size=64, **PLAIN, resampling="nearest")
    with pytest.raises(ValidationError):
        Preprocessing(size=64, **PLAIN, crop=3)
