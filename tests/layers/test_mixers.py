"""What may stand in the place of the selective scan, against recurrences written out."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.networks.check_values import fill, wave
from tinyseg.errors import UsageError
from tinyseg.layers import Mamba, MambaBlock, Mixer, ParallelVisionMamba, make_mixer
from tinyseg.layers.mixers import HeadwiseMamba, TimeInvariantMamba
from tinyseg.networks import build
from tinyseg.scan import scan_form

MIXERS: list[Mixer] = ["s6", "s4", "ssd", "none"]
every_mixer = pytest.mark.parametrize("mixer", MIXERS)


def convolved(layer: Mamba, tokens: Tensor) -> tuple[Tensor, Tensor]:
    x, z = layer.in_proj(tokens).chunk(2, -1)
    taps = layer.conv1d.kernel_size[0]
    x = layer.conv1d(F.pad(x.transpose(1, 2), (taps - 1, 0)))
    return F.silu(x.transpose(1, 2)), F.silu(z)


def test_without_selection_the_scan_is_one_convolution():
    """y[t] is the sum over s of C exp(delta A s) delta B x[t - s], channel by channel."""
    layer, tokens = fill(make_mixer("s4", 6)), wave(2, 30, 6)
    assert isinstance(layer, TimeInvariantMamba)
    x, gate = convolved(layer, tokens)
    delta, A = F.softplus(layer.dt_bias)[:, None], -torch.exp(layer.A_log)
    ages = torch.arange(30, dtype=torch.float64)
    kernel = torch.exp(delta * A * ages[:, None, None]) @ (layer.B * layer.C) * delta[:, 0]
    y = sum(kernel[s] * F.pad(x, (0, 0, s, 0))[:, :30] for s in range(30))
    expected = layer.out_proj((y + layer.D * x) * gate)
    assert (layer(tokens) - expected).abs().max() < 1e-14


def test_a_head_has_one_decay_and_one_step_size():
    layer, tokens = fill(make_mixer("ssd", 12, states=5)), wave(2, 30, 12)
    assert isinstance(layer, HeadwiseMamba)
    assert (layer.heads, layer.head_width) == (3, 8)
    x, gate = convolved(layer, tokens)
    dt, B, C = layer.x_proj(x).split([3, 5, 5], -1)
    delta = F.softplus(dt + layer.dt_bias)
    h, rows = torch.zeros(2, 3, 8, 5, dtype=torch.float64), []
    for t in range(30):
        decay = torch.exp(-delta[:, t] * layer.A_log.exp())[:, :, None, None]
        entering = (delta[:, t, :, None] * x[:, t].view(2, 3, 8))[..., None] * B[:, t, None, None]
        h = decay * h + entering
        rows.append((h @ C[:, t, None, :, None]).flatten(1))
    expected = layer.out_proj((torch.stack(rows, 1) + layer.D * x) * gate)
    assert (layer(tokens) - expected).abs().max() < 1e-14


def test_without_a_scan_the_skip_remains():
    layer, tokens = fill(make_mixer("none", 6)), wave(2, 30, 6)
    x, gate = convolved(layer, tokens)
    assert (layer(tokens) - layer.out_proj(layer.D * x * gate)).abs().max() < 1e-15


def test_step_sizes_start_from_a_thousandth_to_a_tenth():
    for mixer in ("s4", "ssd"):
        layer = make_mixer(mixer, 512)
        bias = layer.dt_bias
        assert isinstance(bias, nn.Parameter)
        steps = F.softplus(bias)
        assert 0.99e-3 < steps.min() < steps.max() < 0.101


@every_mixer
def test_every_parameter_learns(mixer):
    layer = make_mixer(mixer, 8)
    layer(torch.randn(2, 20, 8)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in layer.parameters())


@every_mixer
@pytest.mark.parametrize("form", ["hop2", "g8"])
def test_every_form_gives_the_same(mixer, form):
    layer, tokens = make_mixer(mixer, 8).eval(), torch.randn(1, 24, 8)
    with torch.no_grad():
        expected = layer(tokens)
        with scan_form(form):
            torch.testing.assert_close(layer(tokens), expected, rtol=1e-5, atol=1e-6)


@every_mixer
def test_networks_and_layers_are_built_with_it(mixer):
    kind = type(make_mixer(mixer, 8))
    networks = (build("ul-vm-unet", mixer=mixer), build("vim", mixer=mixer))
    layers = (ParallelVisionMamba(8, 8, 2, mixer=mixer), MambaBlock(8, mixer=mixer))
    for layer in (*networks, *layers):
        found = [type(m) for m in layer.modules() if isinstance(m, Mamba)]
        assert set(found) == {kind}


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="mixer should be 's6', 's4', 'ssd' or 'none', not 's5'"):
        make_mixer("s5", 8)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="left out where mixer is 'none', not 'euler'"):
        make_mixer("none", 8, discretisation="euler")
    with pytest.raises(UsageError, match="discretisation should be 'zoh' or 'euler'"):
        make_mixer("ssd", 8, discretisation="linear")  # pyright: ignore[reportArgumentType]
