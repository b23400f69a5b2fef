"""Layers against values made once with the original code, and against themselves unfolded."""

import pytest
import torch

from tests.networks.check_values import fill, wave
from tinyseg.errors import UsageError
from tinyseg.layers import AttentionBridge, Mamba, ParallelVisionMamba


def figures(y: torch.Tensor) -> list[float]:
    values = (y.mean(), y.std(correction=0), y.flatten()[0], y.flatten()[-1])
    return [value.item() for value in values]


def test_mamba_values():
    with torch.no_grad():
        y = fill(Mamba(6))(wave(1, 20, 6))
    expected = (-0.0000649920, 0.0158127108, -0.0040413291, -0.0099019095)
    assert figures(y) == pytest.approx(expected, abs=1e-10)


def test_parallel_vision_mamba_values():
    with torch.no_grad():
        y = fill(ParallelVisionMamba(24, 32))(wave(1, 24, 8, 8))
    expected = (-0.0050285557, 0.4637111149, 0.6460088462, 0.3057869838)
    assert figures(y) == pytest.approx(expected, abs=1e-10)


def test_attention_bridge_values():
    widths, sides = (8, 16, 24, 32, 48), (32, 16, 8, 4, 2)
    skips = [wave(1, width, side, side) for width, side in zip(widths, sides, strict=True)]
    with torch.no_grad():
        bridged = fill(AttentionBridge(widths))(skips)
    finest = (-0.0008044384, 0.9428599828, 0.0, 0.5948703136)
    coarsest = (0.0061364287, 0.8856028337, 0.0, 0.7947451521)
    assert figures(bridged[0]) == pytest.approx(finest, abs=1e-10)
    assert figures(bridged[-1]) == pytest.approx(coarsest, abs=1e-10)


def test_folding_the_branches_changes_nothing():
    layer = fill(ParallelVisionMamba(24, 32, branches=4))
    x = wave(3, 24, 8, 8)
    tokens = layer.norm(x.flatten(2).mT)
    parts = [layer.mamba(part) + layer.skip_scale * part for part in tokens.chunk(4, dim=2)]
    unfolded = layer.proj(layer.norm(torch.cat(parts, 2))).mT.unflatten(2, (8, 8))
    torch.testing.assert_close(layer(x), unfolded, rtol=0, atol=1e-14)


def test_mamba_has_the_parameters_of_mamba_ssm():
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


def test_step_sizes_of_mamba_start_between_a_thousandth_and_a_tenth():
    dt = torch.nn.functional.softplus(Mamba(64).dt_proj.bias)
    assert 0.9e-3 < dt.min() < 0.01 < dt.max() < 0.11


def test_mamba_looks_only_back():
    layer, x = fill(Mamba(6)), wave(1, 20, 6)
    changed = x.clone()
    changed[:, 10:] += 1
    difference = (layer(changed) - layer(x)).abs().sum((0, 2))
    assert difference[:10].max() == 0 < difference[10]


def test_branches_must_divide_the_channels():
    with pytest.raises(UsageError, match="10 channels cannot be shared by 4 branches"):
        ParallelVisionMamba(10, 8)
