"""Masks of picture files: what the network decides, at the pictures' own size."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyseg.data import Preprocessing
from tinyseg.errors import TinysegError
from tinyseg.evaluation import decide, find_pictures, predict_pictures, probabilities

SIZE = 32
PREPROCESSING = Preprocessing(size=SIZE, mean=(0.2, 0.4, 0.2), std=(0.5, 0.25, 0.5))
RANDOM = np.random.default_rng(0)


def green(inputs: np.ndarray) -> np.ndarray:
    """The logit is the standardised channel 1."""
    return inputs[:, 1:2]


def save(path: Path, height: int, width: int) -> np.ndarray:
    """A random picture; smooth, when it is not of the network's size."""
    side = SIZE if (height, width) == (SIZE, SIZE) else 6
    picture = Image.fromarray(RANDOM.integers(0, 256, (side, side, 3), np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.resize((width, height), Image.Resampling.BICUBIC).save(path)
    return np.asarray(Image.open(path))


def predict(pictures: Path, out: Path, threshold: float = 0.6, **options):
    files = find_pictures([pictures], out, overlay=options.pop("overlay", False))
    return predict_pictures(green, files, PREPROCESSING, threshold=threshold, **options)


def mask_at(path: Path) -> np.ndarray:
    mask = np.asarray(Image.open(path))
    assert mask.dtype == np.uint8
    assert mask.ndim == 2
    assert set(np.unique(mask)) <= {0, 255}
    return mask // 255


def test_at_the_networks_own_size_a_mask_is_what_was_decided(tmp_path):
    image = save(tmp_path / "a/x.png", SIZE, SIZE)
    (picture,), problems = predict(tmp_path / "a", tmp_path / "out")
    expected = decide(probabilities(green(PREPROCESSING([image]))), 0.6)[0]
    mask = mask_at(tmp_path / "out/x.png")
    assert (mask == expected).all()
    assert 0.1 < mask.mean() < 0.9
    assert picture.foreground == pytest.approx(mask.mean())
    assert problems == []


def test_probabilities_are_resized_bilinearly_before_the_threshold(tmp_path):
    """Enlarging again by hand: half-pixel centres, edges repeated, in float64."""
    image = save(tmp_path / "a/x.png", 97, 61)
    predict(tmp_path / "a", tmp_path / "out")
    small = np.asarray(Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    likely = 1 / (1 + np.exp(-(small[..., 1] / 255 - 0.4) / 0.25))
    for length in image.shape[:2]:
        places = (np.arange(length) + 0.5) * SIZE / length - 0.5
        likely = np.array([np.interp(places, np.arange(SIZE), line) for line in likely.T])
    sure = np.abs(likely - 0.6) > 1e-4
    assert sure.mean() > 0.99
    assert (mask_at(tmp_path / "out/x.png") == (likely >= 0.6))[sure].all()


def test_a_mask_is_of_its_pictures_size_whatever_its_shape(tmp_path):
    save(tmp_path / "a/flat.png", 20, 300)
    save(tmp_path / "a/tall.jpg", 71, 5)
    predict(tmp_path / "a", tmp_path / "out")
    assert mask_at(tmp_path / "out/flat.png").shape == (20, 300)
    assert mask_at(tmp_path / "out/tall.png").shape == (71, 5)


def test_the_batch_size_changes_nothing(tmp_path):
    for number in range(5):
        save(tmp_path / f"a/{number}.png", 40 + number, 50)
    predict(tmp_path / "a", tmp_path / "one", batch_size=1)
    done, _ = predict(tmp_path / "a", tmp_path / "many", batch_size=4)
    assert [Path(picture.mask).name for picture in done] == [f"{n}.png" for n in range(5)]
    for number in range(5):
        one, many = (mask_at(tmp_path / folder / f"{number}.png") for folder in ("one", "many"))
        assert (one == many).all()


def test_the_threshold_is_a_probability(tmp_path):
    save(tmp_path / "a/x.png", 40, 40)
    shares = [
        predict(tmp_path / "a", tmp_path / "out", threshold)[0][0].foreground
        for threshold in (0.0, 0.3, 0.7, 1.0)
    ]
    assert shares[0] == 1
    assert shares[3] == 0
    assert shares[1] > shares[2]


def test_an_overlay_shows_the_mask(tmp_path):
    image = save(tmp_path / "a/x.png", 40, 50)
    (picture,), _ = predict(tmp_path / "a", tmp_path / "out", overlay=True)
    assert picture.overlay == str(tmp_path / "out/x_overlay.png")
    drawn = np.asarray(Image.open(picture.overlay))
    mask = mask_at(tmp_path / "out/x.png")
    changed = (drawn != image).any(axis=2)
    assert drawn.shape == image.shape
    assert changed[mask == 1].mean() > 0.99
    assert not changed[mask == 0].all()


def test_corrupt_pictures_are_named_and_the_others_done(tmp_path):
    for name in ("a", "b", "d"):
        save(tmp_path / f"in/{name}.png", 40, 50)
    whole = (tmp_path / "in/b.png").read_bytes()
    (tmp_path / "in/b.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in/c.tif").write_bytes(b"no picture")
    done, problems = predict(tmp_path / "in", tmp_path / "out", batch_size=2)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "d.png"]
    assert [Path(picture.picture).name for picture in done] == ["a.png", "d.png"]
    assert [Path(problem.where).name for problem in problems] == ["b.png", "c.tif"]
    assert all(problem.where in problem.what for problem in problems)


def test_a_network_of_other_channels_is_refused(tmp_path):
    save(tmp_path / "a/x.png", 40, 40)
    four = Preprocessing(size=SIZE, mean=(0.5,) * 4, std=(0.5,) * 4)
    with pytest.raises(TinysegError, match="takes pictures of 4 channels"):
        predict_pictures(green, find_pictures([tmp_path / "a"], tmp_path / "out"), four)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    save(tmp_path / "a/x.png", 40, 40)
    (tmp_path / "out").touch()
    with pytest.raises(TinysegError, match=r"out/x\.png cannot be written"):
        predict(tmp_path / "a", tmp_path / "out")
