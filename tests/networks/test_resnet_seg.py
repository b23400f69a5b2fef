"""ResNet encoders with a plain decoder: counts, and the original's values."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.networks.check_values import fill, picture
from tinyseg.counting import count
from tinyseg.errors import UsageError
from tinyseg.networks import Network
from tinyseg.networks.resnet_seg import RESNET18, RESNET50, ResNetSeg

BOTH = pytest.mark.parametrize("network", [RESNET18, RESNET50], ids=["resnet18", "resnet50"])


def built(network: Network, **arguments) -> nn.Module:
    torch.manual_seed(0)
    return network.module(**{**network.arguments, **arguments})


@pytest.mark.parametrize(
    ("network", "encoder", "decoder", "total", "macs"),
    [
        (
            RESNET18,
            11_176_512,
            [2_097_408, 524_416, 131_136, 1_025],
            13_930_497,
            2_782_330_880,
        ),
        (
            RESNET50,
            23_508_032,
            [16_777_728, 2_097_408, 524_416, 2_049],
            42_909_633,
            7_523_467_264,
        ),
    ],
    ids=["resnet18", "resnet50"],
)
def test_counts_are_exact(network, encoder, decoder, total, macs):
    module = built(network)
    record = count(module, name="resnet")
    assert (record.parameters, record.unused_parameters) == (total, 0)
    assert (record.macs.fvcore, record.macs.scan) == (macs, 0)
    assert sum(p.numel() for p in module.get_submodule("encoder").parameters()) == encoder
    layers = [module.get_submodule(f"decoder.{place}") for place in (0, 2, 4, 6)]
    assert [sum(p.numel() for p in layer.parameters()) for layer in layers] == decoder


@pytest.mark.parametrize(
    ("network", "values"),
    [
        (RESNET18, (0.1549230708, 1.3119814090, 0.3735214570, 0.4404432460, 0.4867252805)),
        (RESNET50, (0.1561140933, 0.0875615825, 0.0908470152, 0.0829408540, 0.1575739265)),
    ],
    ids=["resnet18", "resnet50"],
)
def test_values_equal_the_original_code(network, values):
    """The original resizes to 256x256, whatever the picture's size."""
    module = fill(built(network))
    with torch.no_grad():
        y = module.decoder(module.encoder(picture()))
        at_picture = module(picture())
    torch.testing.assert_close(at_picture, resized(y, 64), rtol=0, atol=0)
    y = resized(y, 256)[0, 0]
    measured = (y.mean(), y.std(correction=0), y[0, 0], y[5, 7], y[-1, -1])
    assert [value.item() for value in measured] == pytest.approx(values, abs=1e-10)


def resized(y: Tensor, side: int) -> Tensor:
    return F.interpolate(y, size=(side, side), mode="bilinear", align_corners=False)


@pytest.mark.parametrize(
    ("network", "parameters", "keys"),
    [(RESNET18, 68, 128), (RESNET50, 167, 326)],
    ids=["resnet18", "resnet50"],
)
def test_names_are_the_original_ones(network, parameters, keys):
    module = built(network)
    assert (len(list(module.parameters())), len(module.state_dict())) == (parameters, keys)
    assert {
        "encoder.0.weight",
        "encoder.1.running_var",
        "encoder.4.0.conv1.weight",
        "encoder.5.0.downsample.0.weight",
        "encoder.7.1.bn2.bias",
        "decoder.0.weight",
        "decoder.6.bias",
    } <= set(module.state_dict())


@BOTH
def test_any_size_channels_and_classes(network):
    module = built(network, in_channels=4, classes=3).eval()
    with torch.no_grad():
        for size in ((50, 71), (64, 96)):
            assert module(torch.rand(2, 4, *size)).shape == (2, 3, *size)


@BOTH
def test_a_single_small_picture_can_be_learnt_from(network):
    assert built(network).train()(torch.rand(1, 3, 32, 32)).shape == (1, 1, 32, 32)


@BOTH
def test_every_parameter_learns(network):
    module = built(network)
    module(torch.randn(2, 3, 64, 64)).square().mean().backward()
    assert all(p.grad is not None for p in module.parameters())


def test_convolutions_of_the_encoder_start_as_in_torchvision():
    weight = built(RESNET18).get_parameter("encoder.7.1.conv2.weight")
    assert weight.std().item() == pytest.approx((2 / (9 * 512)) ** 0.5, 0.01)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"block": "dense"}, "block should be 'basic' or 'bottleneck', not 'dense'"),
        ({"depths": (2, 2, 2)}, "depths should be four numbers from 1, not [2, 2, 2]"),
        ({"depths": (2, 2, 2, 0)}, "depths should be four numbers from 1, not [2, 2, 2, 0]"),
        ({"decoder_channels": (8, 8)}, "decoder_channels should be three numbers from 1"),
        ({"decoder_channels": (8, 8, 0)}, "decoder_channels should be three numbers from 1"),
        ({"in_channels": 0}, "in_channels and classes should be at least 1, not 0 and 1"),
        ({"classes": 0}, "in_channels and classes should be at least 1, not 3 and 0"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments, sentence: str):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        ResNetSeg(**arguments)
