"""U-Mamba: exact counts, values made once with the original code, and what a size changes."""

import re

import pytest
import torch
from torch import nn

from tests.networks.check_values import fill, picture
from tinyseg.counting import count
from tinyseg.errors import UsageError
from tinyseg.layers import Mamba
from tinyseg.layers.mixers import HeadwiseMamba, TimeInvariantMamba, UnmixedMamba
from tinyseg.networks import Network
from tinyseg.networks.umamba import UMAMBA_BOT, UMAMBA_BOT_PP, UMAMBA_ENC, UMambaBot, UMambaEnc

SMALL = (8, 16, 24, 32, 40)
UNUSED = {
    f"decoder.seg_layers.{number}.{kind}" for number in range(3) for kind in ("weight", "bias")
}


def built(network: Network, **arguments) -> nn.Module:
    torch.manual_seed(0)
    return network.module(**{**network.arguments, **arguments})


def parameters_under(network: nn.Module, name: str) -> int:
    return sum(p.numel() for p in network.get_submodule(name).parameters())


@pytest.mark.parametrize(
    ("network", "parameters", "fvcore", "scan"),
    [
        (UMAMBA_BOT, 9_813_700, 13_871_755_264, 17_563_648),
        (UMAMBA_BOT_PP, 10_076_356, 13_875_458_048, 17_563_648),
        # Measured on the published code: 14.722 G.
        (UMAMBA_ENC, 8_168_356, 14_721_885_952, 368_836_608),
    ],
    ids=["bot", "bot-pp", "enc"],
)
def test_counts_are_exact(network, parameters, fvcore, scan):
    record = count(built(network), name="umamba")
    assert (record.parameters, record.unused_parameters) == (parameters, 451)
    assert (record.macs.fvcore, record.macs.scan) == (fvcore, scan)


@pytest.mark.parametrize(
    ("network", "values"),
    [
        (
            UMAMBA_BOT,
            (-0.0438483604, 0.8310621640, -1.0478282840, -0.2530255163, -1.1371829996),
        ),
        (
            UMAMBA_BOT_PP,
            (-0.0440222754, 0.8305776323, -1.0499337875, -0.2546509446, -1.1485819023),
        ),
        (
            UMAMBA_ENC,
            (-0.8530652681, 0.4971899958, -0.7286289693, -1.8368896077, -0.0257426860),
        ),
    ],
    ids=["bot", "bot-pp", "enc"],
)
def test_values_equal_the_original_code(network, values):
    arguments = {"size": 64} if network is UMAMBA_ENC else {}
    with torch.no_grad():
        y = fill(built(network, **arguments))(picture())[0, 0]
    measured = (y.mean(), y.std(correction=0), y[0, 0], y[5, 7], y[-1, -1])
    assert [value.item() for value in measured] == pytest.approx(values, abs=1e-10)


def test_every_part_has_the_original_s_parameters():
    network = built(UMAMBA_BOT_PP)
    parts = {
        "encoder.stem": (896,),
        "encoder.stages": (18_496, 57_472, 229_632, 918_016, 3_671_040),
        "ppm": (262_656,),
        "ln": (1_024,),
        "mamba": (1_694_720,),
        "decoder.transpconvs": (524_544, 131_200, 32_832, 8_224),
        "decoder.stages": (1_901_056, 475_392, 118_912, 29_760),
        "decoder.seg_layers": (257, 129, 65, 33),
    }
    for name, sizes in parts.items():
        assert parameters_under(network, name) == sum(sizes)
        if len(sizes) > 1:
            of_each = [parameters_under(network, f"{name}.{n}") for n in range(len(sizes))]
            assert of_each == list(sizes)


def canonical(pyramid: bool) -> set[str]:
    """Names of the paper's checkpoints without those that name a layer again."""
    mamba = ["A_log", "D", "in_proj.weight", "x_proj.weight", "out_proj.weight"]
    names = {f"mamba.{name}" for name in mamba}
    names |= {f"encoder.stages.{s}.blocks.0.skip.1.conv.weight" for s in range(1, 5)}
    names |= {f"decoder.stages.{s}.blocks.0.skip.0.conv.weight" for s in range(4)}
    both = ["encoder.stem.convs.0.conv", "ln", "mamba.conv1d", "mamba.dt_proj"]
    for part, stages in (("encoder", 5), ("decoder", 4)):
        for s in range(stages):
            both += [f"{part}.stages.{s}.blocks.0.conv{number}.conv" for number in (1, 2)]
    both += [f"decoder.{kind}.{s}" for kind in ("transpconvs", "seg_layers") for s in range(4)]
    both += [f"ppm.conv_layers.{s}" for s in range(4)] if pyramid else []
    return names | {f"{name}.{kind}" for name in both for kind in ("weight", "bias")}


@pytest.mark.parametrize(("pyramid", "keys"), [(False, 73), (True, 81)])
def test_names_are_those_of_the_paper_s_checkpoints(pyramid: bool, keys: int):
    assert len(canonical(pyramid)) == keys
    assert set(UMambaBot(channels=SMALL, pyramid=pyramid).state_dict()) == canonical(pyramid)


def test_names_of_the_encoder_variant_are_the_published_ones():
    assert {
        "encoder.stem.0.conv1.weight",
        "encoder.stages.4.0.norm2.bias",
        "encoder.stages.0.0.conv3.weight",
        "encoder.mamba_layers.2.norm.weight",
        "encoder.mamba_layers.4.mamba.A_log",
        "decoder.upsample_layers.0.conv.weight",
        "decoder.stages.3.0.conv3.bias",
        "decoder.seg_layers.3.weight",
    } <= set(UMambaEnc(channels=SMALL, size=64).state_dict())


@pytest.mark.parametrize("pyramid", [False, True])
def test_any_size_channels_and_classes(pyramid: bool):
    network = UMambaBot(in_channels=4, classes=3, channels=SMALL, pyramid=pyramid)
    for size in ((50, 71), (64, 32), (3, 5)):
        assert network(torch.rand(2, 4, *size)).shape == (2, 3, *size)


@pytest.mark.parametrize("size", [32, 50])
def test_the_encoder_variant_takes_the_size_it_was_built_for(size: int):
    network = UMambaEnc(in_channels=4, classes=3, channels=SMALL, size=size)
    assert network(torch.rand(2, 4, size, size)).shape == (2, 3, size, size)
    for other in ((size, 64), (64, 64)):
        sentence = f"should be {size}x{size}.*, not {other[0]}x64.*--set size=64"
        with pytest.raises(UsageError, match=sentence):
            network(torch.rand(1, 4, *other))


def test_mamba_follows_every_second_stage_and_the_size_decides_its_width():
    layers = built(UMAMBA_ENC).get_submodule("encoder.mamba_layers")
    assert [sum(p.numel() for p in layer.parameters()) for layer in layers] == [
        9_984,
        0,
        116_736,
        0,
        438_272,
    ]
    widths = [m.normalized_shape[0] for m in layers.modules() if isinstance(m, nn.LayerNorm)]
    assert widths == [32, 128, 16 * 16]
    four = UMambaEnc(channels=SMALL[:4], size=64).encoder.mamba_layers
    assert [isinstance(layer, nn.Identity) for layer in four] == [True, False, True, False]


@pytest.mark.parametrize(("size", "swapped"), [(96, False), (64, True)])
def test_tokens_are_pixels_or_where_there_are_as_many_channels_channels(size, swapped):
    """No token sees the last one, all of which changes with any part of it."""
    layer = UMambaEnc(channels=(8, 8, 8, 8, 16), size=size).encoder.mamba_layers[4].double()
    side = size // 16
    x = torch.rand(1, 16, side, side, dtype=torch.float64)
    changed = x.clone()
    changed[0, -1, -1, -1] += 1
    with torch.no_grad():
        moved = (layer(x) != layer(changed))[0]
    last = torch.zeros_like(moved)
    last[(-1,) if swapped else (slice(None), -1, -1)] = True
    assert torch.equal(moved, last)


@pytest.mark.parametrize(
    "network",
    [
        UMambaBot(channels=SMALL),
        UMambaBot(channels=SMALL, pyramid=True),
        UMambaEnc(channels=SMALL, size=64),
    ],
    ids=["bot", "bot-pp", "enc"],
)
def test_every_parameter_learns_but_three_heads(network: nn.Module):
    network(torch.randn(2, 3, 64, 64)).square().mean().backward()
    assert {name for name, p in network.named_parameters() if p.grad is None} == UNUSED


@pytest.mark.parametrize(
    ("network", "dead"),
    [(UMambaBot(), 2_976), (UMambaEnc(size=64), 3_008)],
    ids=["bot", "enc"],
)
def test_norms_take_the_biases_before_them_away(network: nn.Module, dead: int):
    module, x = network.double(), picture()
    before_norm = re.compile(r"(stem\.convs\.0\.conv|conv[12](\.conv)?)\.bias")
    biases = [p for name, p in module.named_parameters() if before_norm.search(name)]
    assert sum(p.numel() for p in biases) == dead
    with torch.no_grad():
        y = module(x)
        for bias in biases:
            bias.add_(1)
        torch.testing.assert_close(module(x), y, rtol=0, atol=1e-8)


def test_the_encoder_variant_starts_as_published():
    network = built(UMAMBA_ENC, size=64)
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            assert module.bias.abs().max() == 0, name
    wide = network.get_parameter("encoder.stages.4.0.conv2.weight")
    assert wide.std().item() == pytest.approx((2 / (1 + 0.01**2) / (9 * 512)) ** 0.5, 0.01)
    assert network.get_parameter("encoder.mamba_layers.4.mamba.dt_proj.bias").max() < 0


@pytest.mark.parametrize(
    ("mixer", "layer"),
    [("s6", Mamba), ("s4", TimeInvariantMamba), ("ssd", HeadwiseMamba), ("none", UnmixedMamba)],
)
@pytest.mark.parametrize("network", [UMAMBA_BOT, UMAMBA_BOT_PP, UMAMBA_ENC])
def test_mixer_and_discretisation_reach_every_mamba(network, mixer, layer):
    size = {"size": 64} if network is UMAMBA_ENC else {}
    options = {} if mixer == "none" else {"discretisation": "euler"}
    module = built(network, channels=SMALL, mixer=mixer, **size, **options)
    layers = [m for m in module.modules() if isinstance(m, Mamba)]
    assert [type(m) for m in layers] == [layer] * (3 if size else 1)
    assert {m.discretisation for m in layers} == set(options.values() or ["zoh"])
    with torch.no_grad():
        assert module(picture().float()).isfinite().all()


@pytest.mark.parametrize("kind", [UMambaBot, UMambaEnc])
@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"channels": (8,)}, "not 3, 1 and [8]"),
        ({"channels": (8, 0, 8)}, "not 3, 1 and [8, 0, 8]"),
        ({"in_channels": 0}, "not 0, 1 and"),
        ({"classes": 0}, "not 3, 0 and"),
    ],
)
def test_channels_that_cannot_be_are_refused(kind, arguments, found: str):
    with pytest.raises(UsageError, match=re.escape(found)):
        kind(**arguments)


def test_a_pyramid_wants_channels_it_can_divide():
    with pytest.raises(UsageError, match="a multiple of 8, not 12"):
        UMambaBot(channels=(8, 12), pyramid=True)


def test_a_size_too_small_for_the_stages_is_refused():
    with pytest.raises(UsageError, match="size should be at least 32, not 16"):
        UMambaEnc(size=16)
