"""The attention bridge against values made once with the original code."""

import pytest
import torch

from tests.layers.figures import figures
from tests.networks.check_values import fill, wave
from tinyseg.layers import AttentionBridge


def test_attention_bridge_values():
    widths, sides = (8, 16, 24, 32, 48), (32, 16, 8, 4, 2)
    skips = [wave(1, width, side, side) for width, side in zip(widths, sides, strict=True)]
    with torch.no_grad():
        bridged = fill(AttentionBridge(widths))(skips)
    finest = (-0.0008044384, 0.9428599828, 0.0, 0.5948703136)
    coarsest = (0.0061364287, 0.8856028337, 0.0, 0.7947451521)
    assert figures(bridged[0]) == pytest.approx(finest, abs=1e-10)
    assert figures(bridged[-1]) == pytest.approx(coarsest, abs=1e-10)
