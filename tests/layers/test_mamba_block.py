"""The Mamba block against the algorithm written a number at a time, and against mambapy."""

import numpy as np
import pytest
import torch

from tests.layers.mamba_by_hand import block
from tests.networks.check_values import fill, wave
from tinyseg.errors import UsageError
from tinyseg.layers import MambaBlock


def test_it_computes_the_algorithm_in_float64():
    layer, tokens = fill(MambaBlock(12, states=8)), wave(2, 25, 12)
    weights = {name: value.numpy() for name, value in layer.state_dict().items()}
    with torch.no_grad():
        y = layer(tokens)
    for row, expected in zip(y, tokens, strict=True):
        by_hand = block(weights, expected.numpy())
        np.testing.assert_allclose(row.numpy(), by_hand, rtol=0, atol=1e-14)


def test_its_names_are_those_of_mamba_ssm():
    names = set(MambaBlock(8).state_dict())
    assert {name.partition(".")[0] for name in names} == {"norm", "mixer"}
    assert {"norm.weight", "mixer.A_log", "mixer.out_proj.weight"} <= names


def test_weights_go_both_ways_between_it_and_mambapy():
    mambapy = pytest.importorskip("mambapy.mamba", reason="mambapy is not installed")
    theirs = mambapy.ResidualBlock(mambapy.MambaConfig(d_model=24, n_layers=1))
    ours, tokens = MambaBlock(24), torch.randn(2, 50, 24)
    for source, target in ((ours, theirs), (theirs, ours)):
        with torch.no_grad():
            for parameter in target.parameters():
                parameter.zero_()
        target.load_state_dict(source.state_dict())
        with torch.no_grad():
            torch.testing.assert_close(ours(tokens), theirs(tokens), rtol=0, atol=1e-6)


def test_blocks_stack_and_every_parameter_learns():
    torch.manual_seed(0)
    stack = torch.nn.Sequential(*(MambaBlock(8) for _ in range(3)))
    stack(torch.randn(2, 16, 8)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in stack.parameters())


def test_tokens_of_zero_stay_zero():
    """The mean square of zeros is zero; what is added to it keeps the quotient finite."""
    with torch.no_grad():
        layer = MambaBlock(8)
        layer.mixer.conv1d.bias.zero_()
        assert torch.equal(layer(torch.zeros(1, 5, 8)), torch.zeros(1, 5, 8))


def test_arguments_reach_the_layer_inside():
    layer = MambaBlock(8, states=4, kernel=3, expand=3, discretisation="euler").mixer
    assert layer.A_log.shape == (24, 4)
    assert layer.conv1d.weight.shape == (24, 1, 3)
    assert layer.discretisation == "euler"
    with pytest.raises(UsageError, match="not 'bilinear'"):
        MambaBlock(8, discretisation="bilinear")
