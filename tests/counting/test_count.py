"""Counts against published integers and against arithmetic by hand."""

import pytest
from torch import nn

from tinyseg.counting import count
from tinyseg.layers import Mamba, ParallelVisionMamba, ToPicture
from tinyseg.networks import build


@pytest.mark.parametrize(
    ("name", "parameters", "fvcore", "scan"),
    [("ul-vm-unet", 49_457, 72_876_864, 6_860_800), ("unet", 7_765_985, 12_103_188_480, 0)],
)
def test_published_totals(name, parameters, fvcore, scan):
    record = count(build(name), name=name)
    assert (record.parameters, record.macs.fvcore, record.macs.scan) == (parameters, fvcore, scan)
    assert record.macs.total == fvcore + scan
    assert record.flops == 2 * record.macs.total
    assert record.unused_parameters == 0


def test_stages_sum_to_the_whole():
    record = count(build("ul-vm-unet"), name="ul-vm-unet")
    assert sum(stage.macs for stage in record.stages) == record.macs.total
    stages = {stage.name: stage for stage in record.stages}
    assert stages["encoder1"].parameters == 224
    assert stages["encoder6"].parameters == 5_465
    assert stages["scab"].parameters == 16_614
    assert stages["encoder1"].macs == 256 * 256 * 3 * 3 * 3 * 8


def test_what_is_not_counted_is_listed():
    uncounted = count(build("ul-vm-unet"), name="ul-vm-unet").uncounted
    assert uncounted["aten::gelu"] == 11
    assert "tinyseg::selective_scan" not in uncounted


class Coarse(nn.Module):
    """A network whose logits, at a quarter of the side, are resized."""

    def __init__(self):
        super().__init__()
        self.conv, self.to_picture = nn.Conv2d(3, 1, 4, stride=4), ToPicture()

    def forward(self, x):
        return self.to_picture(self.conv(x), x.shape[2:])


@pytest.mark.parametrize("network", [Coarse(), nn.Sequential(Coarse())], ids=["outer", "inner"])
def test_resizing_to_the_picture_is_left_out_and_listed(network):
    record = count(network, (1, 3, 16, 16), name="coarse")
    assert record.macs.total == sum(stage.macs for stage in record.stages) == 16 * 3 * 4 * 4
    assert record.uncounted["to_picture"] == 1


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        (nn.Conv2d(3, 8, 3, padding=1), (1, 3, 16, 16), 16 * 16 * 8 * 3 * 3 * 3),
        (nn.ConvTranspose2d(8, 4, 2, stride=2), (1, 8, 8, 8), 8 * 8 * 8 * 4 * 2 * 2),
        (nn.Linear(12, 5), (1, 7, 12), 7 * 12 * 5),
        (nn.GroupNorm(4, 8), (1, 8, 4, 4), 5 * 8 * 4 * 4),
        (nn.BatchNorm2d(8), (1, 8, 4, 4), 2 * 8 * 4 * 4),
        (nn.AdaptiveAvgPool2d(1), (1, 8, 4, 4), 8 * 4 * 4),
        (nn.UpsamplingBilinear2d(scale_factor=2), (1, 8, 4, 4), 4 * 8 * 8 * 8),
    ],
    ids=lambda value: type(value).__name__,
)
def test_one_layer_of_each_kind_by_hand(layer, shape, macs):
    assert count(layer, shape, name="layer").macs.fvcore == macs


def test_mamba_by_hand():
    width, inner, rank, states, length = 6, 12, 1, 16, 20
    projections = length * (
        width * 2 * inner + inner * (rank + 2 * states) + rank * inner + inner * width
    )
    convolution = (length + 3) * inner * 4  # the padded positions are computed too
    record = count(Mamba(width), (1, length, width), name="mamba")
    assert record.macs.fvcore == projections + convolution
    assert record.macs.scan == length * inner * (4 * states + 3)


def test_parallel_vision_mamba_by_hand():
    tokens, branches = 8 * 8, 4
    inside = count(Mamba(6), (branches, tokens, 6), name="mamba").macs
    record = count(ParallelVisionMamba(24, 32, branches), (1, 24, 8, 8), name="layer")
    norms = 2 * 5 * tokens * 24
    assert record.macs.fvcore == inside.fvcore + norms + tokens * 24 * 32
    assert record.macs.scan == inside.scan


def test_parameters_without_a_use_are_found():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = nn.Conv2d(3, 1, 1), nn.Conv2d(3, 5, 1)

        def forward(self, x):
            return self.used(x)

    assert count(Idle(), (1, 3, 8, 8), name="idle").unused_parameters == 20
