"""Norms as TFLite gets them: PyTorch's values, and digits that survive a large mean."""

import copy
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tinyseg.exporters.base import Conversion
from tinyseg.exporters.manifest import contents_of
from tinyseg.exporters.subject import resolve
from tinyseg.exporters.tflite import TFLiteExporter
from tinyseg.exporters.tflite_norms import group_norm, instance_norm, layer_norm
from tinyseg.runs.records import ExportOptions


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape))).double() + 3


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("sides", [(5,), (4, 6), (2, 3, 4)])
def test_they_are_pytorchs(sides, affine):
    x, aten = drawn(2, 8, *sides), torch.ops.aten
    weight, bias = (drawn(8), drawn(8)) if affine else (None, None)
    torch.testing.assert_close(
        group_norm(x, 4, weight, bias, 1e-3), aten.group_norm(x, 4, weight, bias, 1e-3)
    )
    for own in (True, False):
        statistics = (drawn(8), drawn(8).abs())
        arguments = (x, weight, bias, *statistics, own, 0.0, 1e-3, False)
        torch.testing.assert_close(instance_norm(*arguments), aten.instance_norm(*arguments))
    shape = list(x.shape[1:])
    scales = (drawn(*shape), drawn(*shape)) if affine else (None, None)
    torch.testing.assert_close(
        layer_norm(x, shape, *scales, 1e-3), aten.layer_norm(x, shape, *scales, 1e-3)
    )


class Norms(nn.Module):
    """One norm between layers that a converter might fold it into."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm
        self.conv = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        return self.conv(self.norm(x))


class Last(nn.LayerNorm):
    """Layer norm over the channels of a picture."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


@pytest.mark.parametrize(
    "norm",
    [partial(nn.GroupNorm, 4), partial(nn.InstanceNorm2d, affine=True), Last],
    ids=["group", "instance", "layer"],
)
def test_a_mean_far_from_nought_costs_no_digits(tmp_path: Path, norm):
    """litert-torch's own difference of two large numbers is wrong by 1e-3 here."""
    torch.manual_seed(0)
    network = Norms(norm(8)).eval()
    images = torch.randn(1, 8, 64, 64) + 1000
    expected = copy.deepcopy(network).double()(images.double()).detach().numpy()
    contents = contents_of(resolve("unet", size=64, in_channels=8), ExportOptions())
    path = tmp_path / "norm.tflite"
    TFLiteExporter().export(network, images, path, Conversion(contents))
    found = TFLiteExporter().session(path)(images.numpy())
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
