"""The Mamba layer is mamba-ssm's: parameters, start, values; its weights go both ways."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.layers.figures import figures
from tests.layers.mamba_by_hand import mamba
from tests.networks.check_values import fill, wave
from tinyseg.errors import UsageError
from tinyseg.layers import Mamba


def as_arrays(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in module.state_dict().items()}


def test_values_equal_the_original_code():
    with torch.no_grad():
        y = fill(Mamba(6))(wave(1, 20, 6))
    expected = (-0.0000649920, 0.0158127108, -0.0040413291, -0.0099019095)
    assert figures(y) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("discretisation", ["zoh", "euler"])
@pytest.mark.parametrize("width", [6, 20])
def test_it_computes_what_the_paper_says(discretisation, width):
    torch.manual_seed(0)
    layer = Mamba(width, discretisation=discretisation).double()
    tokens = torch.randn(2, 30, width, dtype=torch.float64)
    with torch.no_grad():
        y = layer(tokens)
    euler = discretisation == "euler"
    for row, expected in zip(y, tokens, strict=True):
        by_hand = mamba(as_arrays(layer), expected.numpy(), euler)
        np.testing.assert_allclose(row.numpy(), by_hand, rtol=0, atol=1e-14)


def test_it_has_the_parameters_of_mamba_ssm():
    shapes = {name: tuple(p.shape) for name, p in Mamba(24).named_parameters()}
    assert shapes == {
        "in_proj.weight": (96, 24),
        "conv1d.weight": (48, 1, 4),
        "conv1d.bias": (48,),
        "x_proj.weight": (34, 48),
        "dt_proj.weight": (48, 2),
        "dt_proj.bias": (48,),
        "A_log": (48, 16),
        "D": (48,),
        "out_proj.weight": (24, 48),
    }


@pytest.mark.parametrize("width", [24, 40])
def test_weights_go_both_ways_between_it_and_mambapy(width):
    mambapy = pytest.importorskip("mambapy.mamba", reason="mambapy is not installed")
    theirs = mambapy.MambaBlock(mambapy.MambaConfig(d_model=width, n_layers=1))
    ours, tokens = Mamba(width), torch.randn(2, 50, width)
    for source, target in ((ours, theirs), (theirs, ours)):
        with torch.no_grad():
            for parameter in target.parameters():
                parameter.zero_()
        target.load_state_dict(source.state_dict())
        with torch.no_grad():
            torch.testing.assert_close(ours(tokens), theirs(tokens), rtol=0, atol=1e-6)


def test_step_sizes_start_log_uniform_between_a_thousandth_and_a_tenth():
    torch.manual_seed(0)
    dt = nn.functional.softplus(Mamba(1024).dt_proj.bias.double())
    assert 0.999e-3 < dt.min() < 1.02e-3
    assert 0.098 < dt.max() < 0.1001
    logarithm = (dt.log() - math.log(1e-3)) / math.log(100)  # uniform from 0 to 1
    for share in (0.25, 0.5, 0.75):
        assert (logarithm < share).double().mean().item() == pytest.approx(share, abs=0.04)


def test_the_start_is_that_of_mamba_ssm():
    torch.manual_seed(0)
    layer = Mamba(512)
    assert torch.equal(layer.D, torch.ones(1024))
    torch.testing.assert_close(layer.A_log.exp(), torch.arange(1.0, 17).expand(1024, 16))
    bounds = {  # of uniform distributions: dt_proj from its rank, the others PyTorch's own
        "in_proj.weight": 512**-0.5,
        "conv1d.weight": 4**-0.5,
        "conv1d.bias": 4**-0.5,
        "x_proj.weight": 1024**-0.5,
        "dt_proj.weight": 32**-0.5,
        "out_proj.weight": 1024**-0.5,
    }
    parameters = dict(layer.named_parameters())
    for name, bound in bounds.items():
        values = parameters[name]
        assert 0.99 * bound < values.abs().max() <= bound * (1 + 1e-6), name
        assert values.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05), name


def test_what_mamba_ssm_keeps_from_decaying_is_marked():
    marked = [name for name, p in Mamba(8).named_parameters() if hasattr(p, "_no_weight_decay")]
    assert marked == ["A_log", "D"]


def test_it_looks_only_back():
    layer, x = fill(Mamba(6)), wave(1, 20, 6)
    changed = x.clone()
    changed[:, 10:] += 1
    difference = (layer(changed) - layer(x)).abs().sum((0, 2))
    assert difference[:10].max() == 0 < difference[10]


def states_grow(discretisation, delta: float) -> bool:
    """Whether a layer whose step sizes are all delta has huge outputs after one impulse."""
    torch.manual_seed(0)
    layer = Mamba(4, discretisation=discretisation).double()
    with torch.no_grad():
        layer.dt_proj.weight.zero_()
        layer.dt_proj.bias.fill_(math.log(math.expm1(delta)))
        tokens: Tensor = torch.randn(1, 400, 4, dtype=torch.float64)
        return layer(tokens).abs().max().item() > 1e3


def test_euler_states_grow_once_a_step_times_the_fastest_state_passes_two():
    assert not states_grow("euler", 1.9 / 16)
    assert states_grow("euler", 2.2 / 16)
    assert not states_grow("zoh", 100 / 16)


def test_sizes_and_discretisations_that_do_not_exist_are_refused():
    with pytest.raises(UsageError, match="should be 'zoh' or 'euler', not 'bilinear'"):
        Mamba(8, discretisation="bilinear")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="at least 1, not 8, 0, 4 and 2"):
        Mamba(8, states=0)
