"""An overlay shows the mask and leaves the rest of the picture alone."""

import numpy as np
import pytest

from tinyseg.evaluation import class_colours, draw_overlay

Y, X = np.mgrid[:300, :400]
DISC = ((Y - 150) ** 2 + (X - 200) ** 2 < 80**2).astype(np.uint8)
DISTANCE = np.hypot(Y - 150, X - 200)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_the_disc_is_tinted_and_outlined_on_any_ground(level):
    picture = np.full((300, 400, 3), level, np.uint8)
    drawn = draw_overlay(picture, DISC)
    assert (drawn[DISTANCE > 84] == level).all()  # away from the mask nothing changes
    assert (drawn[DISTANCE < 76] != picture[DISTANCE < 76]).any(axis=1).all()
    edge = drawn[150, 200 + 60 : 200 + 90].astype(int)
    assert np.abs(np.diff(edge, axis=0)).sum(axis=1).max() > 400  # a line that cannot be missed
    assert (picture == level).all()  # the picture that was given stays


def test_what_lies_below_still_shows():
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[150, 200] = 200
    drawn = draw_overlay(picture, DISC)
    assert (drawn[150, 200] > drawn[150, 205]).all()


def test_an_empty_mask_changes_nothing():
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    assert (draw_overlay(picture, np.zeros((20, 30), np.uint8)) == picture).all()


def test_a_full_mask_is_tinted_without_a_line():
    picture = np.zeros((20, 30, 3), np.uint8)
    assert (
        len(np.unique(draw_overlay(picture, np.ones((20, 30), np.uint8)).reshape(-1, 3), axis=0))
        == 1
    )


def test_each_class_has_its_own_tint_and_outline():
    picture = np.full((300, 400, 3), 128, np.uint8)
    labels = DISC * np.where(X < 200, 1, 2).astype(np.uint8)  # two halves side by side
    one, two = class_colours(2)
    drawn = draw_overlay(picture, labels, class_colours(2))
    for x, colour in ((150, one), (250, two)):
        assert drawn[150, x] == pytest.approx(0.75 * 128 + 0.25 * colour, abs=0.51)
    assert (drawn[150, 199], drawn[150, 200]) == (pytest.approx(one), pytest.approx(two))
    assert (drawn[DISTANCE > 84] == 128).all()
    dark = (drawn[150] == 0).all(axis=1)
    assert np.flatnonzero(dark).tolist() == [120, 280]  # around both, not between them


def test_the_second_class_alone_keeps_its_colour():
    picture = np.zeros((20, 30, 3), np.uint8)
    drawn = draw_overlay(picture, np.full((20, 30), 2, np.uint8), class_colours(2))
    assert (drawn == np.round(0.25 * class_colours(2)[1])).all()
