"""The networks that classify: exact counts, shapes, learning, and what they refuse."""

import re

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tinyseg.counting import count
from tinyseg.errors import UsageError
from tinyseg.layers import MambaBlock
from tinyseg.networks import Network
from tinyseg.networks.resnet import RESNET50, ResNet
from tinyseg.networks.resnet9 import RESNET9, ResNet9
from tinyseg.networks.vim import VIM, Vim
from tinyseg.networks.vit import VIT, ViT

NETWORKS = {"vim": VIM, "resnet9": RESNET9, "resnet50": RESNET50, "vit": VIT}
ORIGINAL = {"convolution": "causal", "class_token": True}  # Vision Mamba as published
IMAGENET = {"size": 224, "patch": 16, "depth": 24, **ORIGINAL}
VARIANTS = [
    (VIM, {}),
    (VIM, ORIGINAL),
    (VIM, {"convolution": "causal", "bidirectional": False}),
    (VIM, {"bidirectional": False, "discretisation": "euler"}),
    (VIM, {"mixer": "s4"}),
    (VIM, {"mixer": "ssd", **ORIGINAL}),
    (VIM, {"mixer": "none"}),
    (VIT, {}),
    (RESNET9, {}),
    (RESNET50, {}),
]


def built(network: Network, classes: int = 100, **arguments) -> nn.Module:
    torch.manual_seed(0)
    return network.module(classes=classes, **{**network.arguments, **arguments})


def small(network: Network, **arguments) -> nn.Module:
    sizes = {
        VIM.family: {"width": 16, "depth": 2},
        VIT.family: {"width": 16, "depth": 2, "head_width": 8, "mlp_width": 8},
    }
    if network is RESNET50:
        arguments["depths"] = (1, 1, 1, 1)
    if network is RESNET9:
        arguments["base_channels"] = 8
    return built(network, classes=5, **sizes.get(network.family, {}), **arguments)


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("network", "classes", "arguments", "expected"),
    [
        (VIM, 100, {}, 1_832_980),
        (VIM, 10, ORIGINAL, 1_791_226),
        (VIM, 100, ORIGINAL, 1_806_436),
        (VIM, 1000, ORIGINAL, 1_958_536),
        (VIM, 1000, {"patch": 8, **ORIGINAL}, 1_974_664),
        (VIM, 1000, {"width": 192, **IMAGENET}, 7_148_008),
        (VIM, 1000, {"width": 384, **IMAGENET}, 25_796_584),
        (VIT, 10, {}, 1_751_186),
        (VIT, 10, {"patch": 8}, 1_767_602),
        (RESNET9, 100, {}, 6_619_300),
        (RESNET50, 100, {}, 23_705_252),
    ],
)
def test_parameters_are_exact(network, classes, arguments, expected):
    with torch.device("meta"):
        assert parameters(built(network, classes, **arguments)) == expected


@pytest.mark.parametrize(
    ("name", "fvcore", "scan"),
    [
        ("vim", 108_913_056, 23_052_288),
        ("vit", 130_656_616, 0),
        ("resnet9", 380_061_696, 0),
        ("resnet50", 1_304_911_872, 0),
    ],
)
def test_multiply_accumulates_at_32_pixels(name, fvcore, scan):
    record = count(built(NETWORKS[name]), (1, 3, 32, 32), name=name)
    assert (record.macs.fvcore, record.macs.scan) == (fvcore, scan)
    assert record.unused_parameters == 0


def test_multiply_accumulates_of_vim_by_hand():
    tokens, width, inner, rank, states = 8 * 8, 168, 2 * 168, 11, 16
    outside = tokens * width * 4 * 4 * 3 + width * 100
    projections = tokens * width * 3 * inner
    direction = tokens * inner * (3 * 3 + rank + 2 * states + rank)
    assert outside + 8 * (projections + 2 * direction) == 108_913_056
    assert 8 * 2 * tokens * inner * (4 * states + 3) == 23_052_288


@pytest.mark.parametrize("name", NETWORKS)
def test_they_are_for_the_classes_of_small_pictures(name):
    network = NETWORKS[name]
    assert (network.task, network.size, network.classes) == ("classification", 32, 100)


@pytest.mark.parametrize(("network", "arguments"), VARIANTS)
@pytest.mark.parametrize(("height", "width"), [(32, 32), (16, 48)])
def test_pictures_of_other_sizes_give_logits_too(network, arguments, height, width):
    module = small(network, in_channels=2, **arguments).eval()
    with torch.no_grad():
        assert module(torch.randn(3, 2, height, width)).shape == (3, 5)


@pytest.mark.parametrize(("network", "arguments"), VARIANTS)
def test_every_parameter_learns(network, arguments):
    module = small(network, **arguments)
    cross_entropy(module(torch.randn(4, 3, 32, 32)), torch.arange(4)).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize(("network", "arguments"), VARIANTS)
def test_two_steps_lower_the_loss(network, arguments):
    module = small(network, **arguments)
    x, labels = torch.randn(8, 3, 32, 32), torch.arange(8) % 5
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-3)
    losses = []
    for _ in range(3):
        loss = cross_entropy(module(x), labels)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[2] < losses[1] < losses[0]


def test_blocks_start_with_an_output_that_shrinks_with_depth():
    bound = (2 * 168) ** -0.5  # of PyTorch's start of out_proj
    for depth in (1, 4):
        layers = built(VIM, depth=depth).get_submodule("layers")
        for block in layers.children():
            assert isinstance(block, MambaBlock)
            largest = block.mixer.out_proj.weight.abs().max().item()
            assert largest == pytest.approx(bound / depth**0.5, rel=1e-3)


def test_vit_cuts_pictures_into_patches_row_by_row():
    module, seen = small(VIT, patch=8), list[Tensor]()
    embedding = module.get_submodule("patch_embed")
    embedding.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    picture = torch.randn(1, 3, 32, 32)
    module(picture)
    expected = picture[0, :, 8:16, 16:24].permute(1, 2, 0).flatten()
    assert torch.equal(seen[0][0, 1, 2], expected)


def test_resnet_has_the_parameter_names_of_torchvision():
    names = set(small(RESNET50).state_dict())
    assert {
        "conv1.weight",
        "bn1.running_mean",
        "layer1.0.conv3.weight",
        "layer1.0.bn3.bias",
        "layer2.0.downsample.0.weight",
        "layer2.0.downsample.1.weight",
        "layer4.0.bn2.num_batches_tracked",
        "fc.bias",
    } <= names


@pytest.mark.parametrize(
    ("module", "arguments", "sentence"),
    [
        (Vim, {"convolution": "3d"}, "convolution should be 'causal' or 'grid', not '3d'"),
        (Vim, {"class_token": True}, "convolution should be 'causal' with a class token"),
        (Vim, {"depth": 0}, "width and depth should be at least 1, not 168 and 0"),
        (Vim, {"size": 30}, "size should be a multiple of patch, not 30 with patches of 4"),
        (Vim, {"patch": 0}, "size should be a multiple of patch, not 32 with patches of 0"),
        (Vim, {"discretisation": "linear"}, "should be 'zoh' or 'euler', not 'linear'"),
        (Vim, {"mixer": "s5"}, "mixer should be 's6', 's4', 'ssd' or 'none', not 's5'"),
        (ViT, {"heads": 0}, "should be at least 1, not 168, 8, 0, 64 and 128"),
        (ViT, {"size": 2}, "size should be a multiple of patch, not 2 with patches of 4"),
        (ResNet, {"depths": (3, 4, 6)}, "depths should be four numbers from 1, not [3, 4, 6]"),
        (ResNet, {"depths": (3, 4, 6, 0)}, "four numbers from 1, not [3, 4, 6, 0]"),
        (ResNet9, {"base_channels": 0}, "base_channels should be at least 1, not 0"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(module, arguments, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        module(**arguments)


@pytest.mark.parametrize("network", [VIM, VIT])
def test_a_side_that_patches_do_not_fill_is_refused(network):
    with pytest.raises(UsageError, match="multiples of 4, not 32x30"):
        small(network)(torch.zeros(1, 3, 32, 30))
