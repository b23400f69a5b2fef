"""Mamba layers over grids of tokens, and in both directions, whatever the scan."""

import re

import pytest
import torch
from torch import Tensor, nn

from tinyseg.errors import UsageError
from tinyseg.layers import Mamba, MambaBlock, make_mixer

every_mixer = pytest.mark.parametrize("mixer", ["s6", "s4", "ssd", "none"])
GRID = {"kernel": 3, "convolution": "grid"}


def test_both_directions_have_the_parameters_of_vision_mamba():
    layer = Mamba(168, bidirectional=True)
    assert sum(p.numel() for p in layer.parameters()) == 221_088
    one_way = set(Mamba(168).state_dict())
    shared = {"in_proj.weight", "out_proj.weight"}
    assert set(layer.state_dict()) == one_way | {f"back.{name}" for name in one_way - shared}


def one_way(layer: Mamba, *, back: bool, **arguments) -> Mamba:
    """A layer with the weights of one direction."""
    weights = layer.state_dict()
    alone = make_mixer(width=6, **arguments).double()
    alone.load_state_dict(
        {name: weights.get(f"back.{name}" * back, weights[name]) for name in alone.state_dict()}
    )
    return alone


@every_mixer
@pytest.mark.parametrize(
    ("form", "shape", "dims"), [({}, (2, 15, 6), (1,)), (GRID, (2, 3, 5, 6), (1, 2))]
)
def test_both_directions_are_the_mean_of_two_one_way_passes(mixer, form, shape, dims):
    torch.manual_seed(0)
    arguments = {"mixer": mixer, **form}
    layer = make_mixer(width=6, **arguments, bidirectional=True).double()
    tokens = torch.randn(*shape, dtype=torch.float64)
    with torch.no_grad():
        there = one_way(layer, back=False, **arguments)(tokens)
        back = one_way(layer, back=True, **arguments)(tokens.flip(dims)).flip(dims)
        torch.testing.assert_close(layer(tokens), (there + back) / 2, rtol=0, atol=1e-14)
    assert (there - back).abs().max() > 1e-3


@every_mixer
def test_over_a_grid_only_the_convolution_differs(mixer):
    """A kernel of one pixel sees no neighbours, so that both convolutions are the same."""
    torch.manual_seed(0)
    line = make_mixer(mixer, 6, kernel=1).double()
    grid = make_mixer(mixer, 6, kernel=1, convolution="grid").double()
    weights = {name.replace("conv1d", "conv2d"): w for name, w in line.state_dict().items()}
    weights["conv2d.weight"] = weights["conv2d.weight"].unsqueeze(3)
    grid.load_state_dict(weights)
    tokens = torch.randn(2, 3, 5, 6, dtype=torch.float64)
    with torch.no_grad():
        expected = line(tokens.flatten(1, 2)).unflatten(1, (3, 5))
        torch.testing.assert_close(grid(tokens), expected, rtol=0, atol=1e-14)


def seen_by_the_centre(layer: nn.Module) -> Tensor:
    """Which tokens of a 5x5 grid the output in its middle depends on."""
    tokens = torch.randn(1, 5, 5, 6, dtype=torch.float64, requires_grad=True)
    layer.double()(tokens)[0, 2, 2].sum().backward()
    assert tokens.grad is not None
    return tokens.grad[0].abs().sum(2) > 0


def test_one_direction_sees_the_past_and_what_it_was_convolved_with_and_two_see_everything():
    torch.manual_seed(0)
    seen = seen_by_the_centre(Mamba(6, **GRID))
    expected = torch.zeros(5, 5, dtype=torch.bool)
    expected[:3] = True  # rows 0 and 1 are scanned before the centre, and their neighbours seen
    expected[3, :4] = True  # below columns 0 to 2 of the centre's row, and beside
    assert torch.equal(seen, expected)
    assert seen_by_the_centre(Mamba(6, **GRID, bidirectional=True)).all()


@every_mixer
def test_every_parameter_learns(mixer):
    block = MambaBlock(8, mixer=mixer, bidirectional=True, **GRID)
    block(torch.randn(2, 4, 5, 8)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in block.parameters())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"convolution": "grid"}, "kernel should be odd over a grid, not 4"),
        ({"convolution": "x"}, "convolution should be 'causal' or 'grid', not 'x'"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        Mamba(8, **arguments)
