"""What pictures show: the most probable classes, and a table of them."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyseg.data import Preprocessing
from tinyseg.errors import TinysegError
from tinyseg.evaluation import classify_pictures, write_classified

NAMES = [f"class {n}" for n in range(8)]
PREPROCESSING = Preprocessing(size=4, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def grey(inputs: np.ndarray) -> np.ndarray:
    """The whiter a picture, the more probable the later classes."""
    return inputs.mean(axis=(1, 2, 3))[:, None] * np.arange(8, dtype=np.float32)


def save(folder: Path, **levels: int) -> list[Path]:
    for name, level in levels.items():
        Image.new("RGB", (9, 5), (level,) * 3).save(folder / f"{name}.png")
    return [folder / f"{name}.png" for name in levels]


def classify(paths, names=NAMES, **options):
    return classify_pictures(grey, paths, PREPROCESSING, classes=names, **options)


def test_the_best_five_come_in_order_with_their_softmax(tmp_path):
    done, problems = classify(save(tmp_path, white=255))
    powers = np.exp(np.arange(8.0))
    assert [found.label for found in done[0].top] == [f"class {n}" for n in (7, 6, 5, 4, 3)]
    assert [found.probability for found in done[0].top] == pytest.approx(
        (powers / powers.sum())[:2:-1]
    )
    assert (done[0].label, done[0].probability) == ("class 7", done[0].top[0].probability)
    assert problems == []


def test_equal_classes_come_in_their_own_order(tmp_path):
    (black,), _ = classify(save(tmp_path, black=0))
    assert [found.label for found in black.top] == NAMES[:5]
    assert black.probability == 1 / 8


def test_batches_change_nothing_and_broken_pictures_are_told(tmp_path):
    paths = save(tmp_path, a=10, b=100, c=200, d=250, e=30)
    paths[1].write_bytes(b"no picture")
    one, problems = classify(paths, batch_size=1)
    two, _ = classify(paths, batch_size=2)
    assert [Path(picture.picture).stem for picture in one] == ["a", "c", "d", "e"]
    assert [p.probability for p in one] == pytest.approx([p.probability for p in two])
    assert [problem.where for problem in problems] == [str(paths[1])]


def test_progress_is_told_to_the_end_even_where_a_batch_has_no_picture(tmp_path):
    paths, told = save(tmp_path, a=10, b=100, c=200), []
    paths[2].write_bytes(b"")
    classify(paths, batch_size=2, progress=lambda *what: told.append(what))
    assert told == [("Predicting", 2, 3, ""), ("Predicting", 3, 3, "")]


def test_the_table_has_a_row_a_picture_and_quotes_what_needs_it(tmp_path):
    names = ['a "b", c', *NAMES[1:]]
    done, _ = classify(save(tmp_path, black=0, white=255), names)
    write_classified(tmp_path / "out" / "t.csv", done)
    with (tmp_path / "out" / "t.csv").open(newline="") as file:
        header, black, white = csv.reader(file)
    assert header[:5] == ["picture", "label", "probability", "label_2", "probability_2"]
    assert len(header) == len(black) == len(white) == 11
    assert black[:3] == [str(tmp_path / "black.png"), 'a "b", c', "0.125000"]
    assert white[9:] == ["class 3", f"{done[1].top[4].probability:.6f}"]


def test_fewer_than_five_classes_are_all_named(tmp_path):
    done, _ = classify_pictures(
        lambda inputs: grey(inputs)[:, :2], save(tmp_path, a=255), PREPROCESSING, classes=NAMES[:2]
    )
    write_classified(tmp_path / "t.csv", done)
    assert (tmp_path / "t.csv").read_text().splitlines()[0].endswith("label_2,probability_2")


def test_a_table_that_cannot_be_written_is_told(tmp_path):
    done, _ = classify(save(tmp_path, a=255))
    (tmp_path / "out").touch()
    with pytest.raises(TinysegError, match=r"out/t\.csv cannot be written"):
        write_classified(tmp_path / "out" / "t.csv", done)
