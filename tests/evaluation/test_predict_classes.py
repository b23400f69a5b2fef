"""Masks of several classes: the most probable label, at the pictures' own size."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyseg.data import Preprocessing
from tinyseg.data.masks import read_labels, read_mask
from tinyseg.evaluation import class_colours, find_pictures, predict_pictures

SIZE = 32
CLASSES = ("background", "red", "blue")
PREPROCESSING = Preprocessing(size=SIZE, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
RANDOM = np.random.default_rng(0)


def colours(inputs: np.ndarray) -> np.ndarray:
    """Logits: of the background green, of the first class red, of the second blue."""
    return inputs[:, [1, 0, 2]]


@pytest.fixture
def image(tmp_path) -> np.ndarray:
    small = Image.fromarray(RANDOM.integers(0, 256, (6, 6, 3), np.uint8))
    (tmp_path / "in").mkdir()
    small.resize((61, 97), Image.Resampling.BICUBIC).save(tmp_path / "in/x.png")
    return np.asarray(Image.open(tmp_path / "in/x.png"))


def predict(tmp_path: Path, **options):
    files = find_pictures([tmp_path / "in"], tmp_path / "out", overlay=True)
    options = {"classes": CLASSES, **options}
    return predict_pictures(options.pop("predictor", colours), files, PREPROCESSING, **options)


def test_probabilities_are_resized_class_by_class_before_the_best_is_taken(tmp_path, image):
    """Enlarging again by hand, in float64."""
    predict(tmp_path)
    small = np.asarray(Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    powers = np.exp((small[..., [1, 0, 2]] / 255 - 0.5) / 0.25)
    likely = powers / powers.sum(axis=2, keepdims=True)
    for axis, length in enumerate(image.shape[:2]):
        places = (np.arange(length) + 0.5) * SIZE / length - 0.5
        likely = np.apply_along_axis(
            lambda line, places=places: np.interp(places, np.arange(SIZE), line), axis, likely
        )
    ordered = np.sort(likely, axis=2)
    sure = ordered[..., 2] - ordered[..., 1] > 1e-4
    assert sure.mean() > 0.99
    labels = read_labels(tmp_path / "out/x.png", 2)
    assert (labels == likely.argmax(axis=2))[sure].all()
    assert set(np.unique(labels)) == {0, 1, 2}


def test_a_mask_is_a_palette_picture_that_shows_and_reads_back(tmp_path, image):
    (picture,), problems = predict(tmp_path)
    with Image.open(tmp_path / "out/x.png") as mask:
        assert (mask.mode, mask.size) == ("P", (61, 97))
        indices, seen = np.asarray(mask), np.asarray(mask.convert("RGB"))
    assert np.array_equal(indices, read_labels(tmp_path / "out/x.png", 2))
    assert np.array_equal(seen, np.vstack([[[0, 0, 0]], class_colours(2)])[indices])
    header = (tmp_path / "out/x.png").read_bytes()[24:26]
    assert header == bytes([8, 3])  # 8 bits, palette
    assert picture.shares == {
        "red": pytest.approx((indices == 1).mean()), "blue": pytest.approx((indices == 2).mean()),
    }  # fmt: skip
    assert picture.foreground == pytest.approx((indices > 0).mean())
    assert problems == []


def test_an_overlay_has_the_colours_of_the_mask(tmp_path, image):
    predict(tmp_path)
    drawn = np.asarray(Image.open(tmp_path / "out/x_overlay.png")).astype(int)
    labels = read_labels(tmp_path / "out/x.png", 2)
    for label, colour in enumerate(class_colours(2), start=1):
        tinted = (0.75 * image + 0.25 * colour).round()
        of_class = drawn[labels == label]
        assert ((of_class == tinted[labels == label]) | (of_class == colour)).all()


def test_the_threshold_changes_nothing(tmp_path, image):
    predict(tmp_path, threshold=0.1)
    low = read_labels(tmp_path / "out/x.png", 2)
    predict(tmp_path, threshold=0.9)
    assert np.array_equal(low, read_labels(tmp_path / "out/x.png", 2))


def test_a_single_class_beside_the_background_is_written_as_one_class(tmp_path, image):
    (picture,), _ = predict(
        tmp_path, predictor=lambda inputs: inputs[:, [1, 0]], classes=CLASSES[:2]
    )
    with Image.open(tmp_path / "out/x.png") as mask:
        assert (mask.mode, set(np.unique(np.asarray(mask)))) == ("L", {0, 255})
    assert picture.foreground == pytest.approx(read_mask(tmp_path / "out/x.png").mean())
    assert picture.shares is None
