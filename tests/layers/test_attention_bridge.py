"""The attention bridge against values made once with the original code."""

import pytest
import torch

from tests.layers.figures import figures
from tests.networks.check_values import fill, wave
from tinyseg.layers import AttentionBridge
from tinyseg.layers.attention_bridge import SpatialAttention


def test_attention_bridge_values():
    widths, sides = (8, 16, 24, 32, 48), (32, 16, 8, 4, 2)
    skips = [wave(1, width, side, side) for width, side in zip(widths, sides, strict=True)]
    with torch.no_grad():
        bridged = fill(AttentionBridge(widths))(skips)
    finest = (-0.0008044384, 0.9428599828, 0.0, 0.5948703136)
    coarsest = (0.0061364287, 0.8856028337, 0.0, 0.7947451521)
    assert figures(bridged[0]) == pytest.approx(finest, abs=1e-10)
    assert figures(bridged[-1]) == pytest.approx(coarsest, abs=1e-10)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_convolution_gets_its_maps_in_the_layout_of_the_skip(layout):
    attention, seen = SpatialAttention(), []
    attention.shared_conv2d.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    skip = torch.randn(2, 8, 6, 5)
    factors = attention(skip.contiguous(memory_format=layout))
    assert seen[0].is_contiguous(memory_format=layout)
    torch.testing.assert_close(factors, attention(skip))
