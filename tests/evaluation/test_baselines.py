"""Baselines: constants by hand, the threshold on a drawn head and on real brains."""

from pathlib import Path

import numpy as np
import pytest

from tinyseg.data import load_pictures, open_dataset
from tinyseg.data.sample import Sample
from tinyseg.evaluation import baselines, dice, score
from tinyseg.evaluation.baselines import threshold_volume

Y, X = np.mgrid[:128, :128]
HEAD = (Y - 64) ** 2 + (X - 64) ** 2 < 55**2
TUMOUR = (Y - 50) ** 2 + (X - 60) ** 2 < 12**2
SPECK = (Y - 90) ** 2 + (X - 70) ** 2 < 4**2
SCALP = HEAD & ((Y - 64) ** 2 + (X - 64) ** 2 > 52**2)


def head(*bright: np.ndarray) -> np.ndarray:
    """A grey head, with bright places in channel 1."""
    picture = np.zeros((128, 128, 3), np.uint8)
    picture[HEAD] = 50
    for place in bright:
        picture[place, 1] = 100
    return picture


class Drawn:
    """Two patients of three slices; the middle one has a tumour, the first a bright speck."""

    kind = "drawn"
    task = "segmentation"
    test_keys = ()
    keys = tuple(f"{group}-{number}" for group in "ab" for number in range(3))
    classes = ("tumour",)
    channels = 3
    groups_are_volumes = True
    source = "drawn"
    threshold_channel: int | None = 1

    def group(self, key: str) -> str:
        return key[0]

    def read(self, key: str) -> Sample:
        image = (head(SCALP, SPECK), head(SCALP, TUMOUR), head(SCALP))[int(key[2])]
        return Sample(image, (TUMOUR & (key[2] == "1")).astype(np.uint8), key, key[0])


def test_the_largest_bright_body_inside_the_head_is_marked():
    volume = np.stack([Drawn().read(f"a-{number}").image for number in range(3)])
    masks = threshold_volume(volume, channel=1)
    assert masks[[0, 2]].sum() == 0  # neither the speck nor the scalp
    assert (masks[1] == TUMOUR).mean() > 0.995


@pytest.mark.parametrize("level", [0, 50])
def test_nothing_is_marked_where_nothing_is_bright(level):
    assert threshold_volume(np.full((2, 64, 64, 3), level, np.uint8), channel=1).sum() == 0


def scored(dataset, pictures):
    return {
        name: score(table, dice, groups_are_volumes=True)
        for name, table in baselines(dataset, pictures).items()
    }


def test_every_baseline_scores_the_pictures_of_the_part():
    """The part has one slice a patient, but a volume's threshold looks at all of them."""
    dataset = Drawn()
    pictures = load_pictures(dataset, ["a-1", "b-0"], 64)
    scores = scored(dataset, pictures)
    share = pictures.labels[0].mean()
    assert list(scores) == ["nothing", "everything", "threshold"]
    assert scores["nothing"].per_image.mean == 0.5
    assert scores["everything"].per_image.mean == pytest.approx(2 * share / (1 + share) / 2)
    assert scores["threshold"].per_image.mean > 0.97


def test_without_volumes_or_a_channel_there_is_no_threshold():
    dataset = Drawn()
    dataset.threshold_channel = None
    assert list(baselines(dataset, load_pictures(dataset, ["a-1"], 64))) == [
        "nothing",
        "everything",
    ]


def test_on_real_brains_it_scores_what_was_measured_elsewhere(shared_data: Path):
    """An independent measurement on these 18 patients gave 0.48 a volume."""
    dataset = open_dataset(str(shared_data / "lgg"))
    scores = scored(dataset, load_pictures(dataset, dataset.keys, 256))
    per_volume = scores["threshold"].per_volume
    assert per_volume is not None
    assert per_volume.mean == pytest.approx(0.48, abs=0.015)
