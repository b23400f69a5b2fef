"""Learnt positions, and where a class token stands."""

import pytest
import torch

from tinyseg.layers.positions import add_positions, with_class_token


def test_positions_are_added_as_they_are_or_stretched():
    positions = torch.arange(4.0).reshape(1, 4, 1)
    same = add_positions(torch.zeros(2, 2, 2, 1), positions)
    assert same[1].flatten().tolist() == [0, 1, 2, 3]
    stretched = add_positions(torch.zeros(1, 4, 2, 1), positions)[0, ..., 0]
    assert stretched.shape == (4, 2)
    torch.testing.assert_close(stretched[:, 1] - stretched[:, 0], torch.ones(4))
    assert (stretched.diff(dim=0) > 0).all()


@pytest.mark.parametrize(
    ("middle", "line"),
    [(False, [100, 11, 12, 13, 14]), (True, [10, 11, 102, 13, 14])],
)
def test_the_class_token_stands_first_or_in_the_middle(middle, line):
    tokens = torch.full((1, 2, 2, 1), 10.0)
    positions = torch.arange(5.0).reshape(1, 5, 1)
    joined, index = with_class_token(tokens, torch.full((1, 1, 1), 100.0), positions, middle=middle)
    assert joined.flatten().tolist() == line
    assert index == line.index(max(line))
