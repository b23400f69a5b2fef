"""Conventions against published figures, and against thop's rules by hand."""

import pytest
import torch
from torch import nn

from tinyseg.counting import count
from tinyseg.counting.conventions import published_macs
from tinyseg.layers import Mamba
from tinyseg.networks import Network, ul_vm_unet
from tinyseg.networks.unet import UNET
from tinyseg.runs.records import CountRecord

#: thop's column: thop 0.1.1.post2209072238 with all inside Mamba left out.
PUBLISHED = [
    ("UL_VM_UNET", 72_876_864, 1_638_400, 14_745_600, 60_240_000),
    ("V1", 267_545_808, 12_582_912, 113_246_208, 166_522_560),
    ("V2", 71_623_488, 1_638_400, 14_745_600, 60_240_000),
    ("V3", 238_447_824, 12_582_912, 113_246_208, 166_522_560),
    ("V4", 322_746_704, 6_291_456, 56_623_104, 264_741_824),
    ("V5", 316_819_280, 6_291_456, 56_623_104, 259_533_632),
    ("V6", 317_613_904, 6_291_456, 56_623_104, 260_275_520),
]


def counted(network: Network) -> CountRecord:
    return count(network.module(**network.arguments), name="it")


def figures(record: CountRecord) -> dict[str, int]:
    return {convention.name: convention.value for convention in record.conventions}


@pytest.mark.parametrize(("name", "fvcore", "updates", "nine", "thop"), PUBLISHED)
def test_published_figures(name, fvcore, updates, nine, thop):
    record = counted(getattr(ul_vm_unet, name))
    steps = updates // 16
    assert figures(record) == {
        "fvcore": fvcore,
        "scan, 4 B L D N + 3 B L D": 4 * updates + 3 * steps,
        "fvcore + scan": record.macs.total,
        "2 x (fvcore + scan)": record.flops,
        "scan, 9 B L D N": nine,
        "scan, 9 B L D N + 2 B L D": nine + 2 * steps,
        "thop, fused Mamba": thop,
    }
    assert record.macs.total == fvcore + 4 * updates + 3 * steps


def test_the_published_figure_is_the_sum_of_its_parts():
    convolutions, projections, bridge, norms, pools = (
        57_713_664,
        1_867_776,
        16_384,
        409_600,
        232_576,
    )
    assert convolutions + projections + bridge + norms + pools == PUBLISHED[0][-1]


def test_a_network_without_a_scan():
    seen = figures(counted(UNET))
    assert seen["fvcore"] == seen["fvcore + scan"] == 12_103_188_480
    assert seen["scan, 9 B L D N"] == seen["scan, 4 B L D N + 3 B L D"] == 0
    assert seen["thop, fused Mamba"] == 13_745_782_784


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        (nn.Conv2d(8, 8, 3, groups=4, padding=1), (1, 8, 9, 9), 9 * 9 * 8 * 2 * 3 * 3),
        (nn.Conv1d(8, 4, 3, padding=1), (1, 8, 9), 9 * 4 * 8 * 3),
        (nn.ConvTranspose2d(8, 4, 2, stride=2), (1, 8, 8, 8), 16 * 16 * 4 * 8 * 2 * 2),
        (nn.Linear(8, 4), (2, 5, 8), 2 * 5 * 8 * 4),
        (nn.LayerNorm(9), (1, 8, 9, 9), 4 * 8 * 9 * 9),
        (nn.LayerNorm(9, elementwise_affine=False), (1, 8, 9, 9), 2 * 8 * 9 * 9),
        (nn.BatchNorm2d(8), (1, 8, 9, 9), 4 * 8 * 9 * 9),
        (nn.InstanceNorm2d(8), (1, 8, 9, 9), 2 * 8 * 9 * 9),
        (nn.AdaptiveAvgPool2d(3), (1, 8, 9, 9), 8 * 9 * 9 + 8 * 3 * 3),
        (nn.AvgPool2d(3), (1, 8, 9, 9), 8 * 3 * 3),
        (nn.Upsample(scale_factor=2), (1, 8, 9, 9), 8 * 18 * 18),
        (nn.UpsamplingBilinear2d(scale_factor=2), (1, 8, 9, 9), 11 * 8 * 18 * 18),
        (nn.GroupNorm(4, 8), (1, 8, 9, 9), 0),
        (nn.RMSNorm(9), (1, 8, 9, 9), 0),
        (nn.GELU(), (1, 8, 9, 9), 0),
        (Mamba(8), (1, 9, 8), 0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_one_layer_of_each_kind_by_thops_rules(layer, shape, macs):
    assert published_macs(layer.eval(), torch.zeros(shape)) == macs


def test_a_layer_counts_at_every_call_and_by_name_too():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.pool = nn.AdaptiveAvgPool2d(1)

        def forward(self, x):
            return self.pool(x) + self.pool(input=x)

    network = Twice()
    assert published_macs(network, torch.zeros(1, 2, 4, 4)) == 2 * (32 + 2)
    assert not network.pool._forward_hooks


def test_every_line_says_what_it_leaves_out():
    record = counted(ul_vm_unet.UL_VM_UNET)
    assert all(convention.leaves_out for convention in record.conventions)
    assert {convention.unit for convention in record.conventions} == {"MACs", "FLOPs"}
