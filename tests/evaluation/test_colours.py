"""Every class has a colour of its own."""

import numpy as np
import pytest

from tinyseg.evaluation import class_colours


@pytest.mark.parametrize("classes", [0, 1, 7, 8, 255])
def test_there_are_as_many_as_classes_and_no_two_are_equal_or_black(classes):
    colours = class_colours(classes)
    assert (colours.shape, colours.dtype) == ((classes, 3), np.uint8)
    assert len({tuple(colour) for colour in colours.tolist()} - {(0, 0, 0)}) == classes


def test_more_classes_keep_the_colours_of_fewer():
    assert np.array_equal(class_colours(40)[:5], class_colours(5))


def test_the_first_differ_in_more_than_red_against_green():
    """Without the red-green difference, as for most who see fewer colours, they still differ."""
    colours = class_colours(7).astype(float)
    seen = np.stack([colours[:, :2].mean(axis=1), colours[:, 2]], axis=1)
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=2)
    assert apart[~np.eye(7, dtype=bool)].min() > 20
