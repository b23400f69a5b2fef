"""Both SegFormers: exact counts, and values made once with other code."""

import re

import pytest
import torch
import torch.nn.functional as F

from tests.networks.check_values import fill, picture
from tinyseg.counting import count
from tinyseg.errors import UsageError
from tinyseg.networks import Network
from tinyseg.networks.mit_segformer import B0, MiTSegFormer
from tinyseg.networks.segformer import SEGFORMER, SegFormer

B1 = {"widths": (64, 128, 320, 512)}
B2 = {**B1, "depths": (3, 4, 6, 3), "decoder_width": 768}
both = pytest.mark.parametrize("network", [SEGFORMER, B0], ids=["paper", "b0"])
SMALL = {"widths": (8, 16, 24, 32), "heads": (1, 2, 3, 4), "depths": (1, 1, 1, 1)}


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_counts_of_the_paper_are_exact():
    record = count(SEGFORMER.module(**SEGFORMER.arguments), name="segformer")
    assert (record.parameters, record.macs.total) == (17_782_913, 4_992_430_080)
    assert {stage.name: stage.macs for stage in record.stages} == {
        "encoder": 2_893_180_928,
        "decoder": 1_022_361_600,
        "head": 1_076_887_552,
        "to_picture": 0,
    }
    assert record.unused_parameters == 0


def test_parts_of_the_paper_s_network_have_their_exact_counts():
    network = SegFormer()
    parts = (*network.encoder.stages, *network.decoder.stages, *network.head.children())
    assert [parameters(part) for part in parts] == [
        *(916_864, 1_739_776, 5_489_152, 9_127_424),
        *(131_328, 65_792, 33_024, 16_640),
        *(262_656, 257),
    ]


def test_names_are_those_of_the_paper_s_code():
    network = SegFormer()
    assert len(list(network.parameters())) == 321
    assert len(network.state_dict()) == 324
    assert {
        "encoder.stages.0.overlap_patch_merge.0.weight",
        "encoder.stages.3.blocks.2.0.fn.1.reducer.1.bias",
        "encoder.stages.1.blocks.0.0.fn.1.att.in_proj_weight",
        "encoder.stages.2.blocks.5.1.fn.1.3.bias",
        "encoder.stages.2.norm.weight",
        "decoder.stages.0.1.weight",
        "head.fuse.2.running_mean",
        "head.predict.bias",
    } <= set(network.state_dict())


@pytest.mark.parametrize(
    ("network", "values"),
    [
        (SEGFORMER, (-1.0501876946, 0.0007315359, -1.0513260106, -1.0499540782, -1.0501202536)),
        (B0, (-0.6082631400, 0.0046783968, -0.6034367859, -0.6082155446, -0.6122550783)),
    ],
    ids=["paper", "b0"],
)
def test_values_equal_other_code(network: Network, values):
    """The paper's own, and for B0 that of Hugging Face's transformers with the original's eps."""
    module = network.module(**network.arguments)
    fill(module)
    with torch.no_grad():
        y = module.coarse_logits(picture())[0, 0]
    assert y.shape == (16, 16)
    measured = (y.mean(), y.std(correction=0), y[0, 0], y[5, 7], y[-1, -1])
    assert [value.item() for value in measured] == pytest.approx(values, abs=1e-10)


@both
def test_logits_are_resized_to_the_picture(network: Network):
    module, x = network.module(**SMALL).eval(), torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        coarse = module.coarse_logits(x)
        assert coarse.shape == (1, 1, 16, 24)
        resized = F.interpolate(coarse, (64, 96), mode="bilinear", align_corners=False)
        torch.testing.assert_close(module(x), resized)


@pytest.mark.parametrize(
    ("arguments", "exact"),
    [
        ({}, 3_714_401),
        ({"classes": 150}, 3_752_694),
        (B1, 13_677_505),
        ({**B1, "classes": 150}, 13_715_798),
        (B2, 27_347_393),
    ],
)
def test_published_sizes_are_exact(arguments, exact: int):
    with torch.device("meta"):
        assert parameters(MiTSegFormer(**arguments)) == exact


def test_stages_of_b0_have_their_exact_counts():
    stages = [parameters(stage) for stage in MiTSegFormer().encoder]
    assert stages == [164_096, 255_296, 930_080, 1_969_920]


def test_macs_of_b0():
    record = count(B0.module(**B0.arguments), name="segformer-b0")
    products = 1_208_287_232 + 472_383_488 + 65_011_712  # convolutions, linear layers, attention
    norms = 7_782_400 + 2_097_152  # layer norms, batch norm
    resizing = 3 * 4 * 256 * 64 * 64
    assert record.macs.total == products + norms + resizing
    assert record.unused_parameters == 0


def test_the_encoder_of_b0_starts_as_published():
    torch.manual_seed(0)
    mix = MiTSegFormer().encoder[3].blocks[0][1].fn
    assert mix[1].weight.std().item() == pytest.approx(0.02, 0.02)
    assert mix[2].weight.std().item() == pytest.approx((2 / 9) ** 0.5, 0.02)
    assert all(mix[layer].bias.abs().max() == 0 for layer in (1, 2, 4))


def test_drop_path_grows_evenly_over_the_blocks():
    rates = [m.drop_path for m in MiTSegFormer().modules() if hasattr(m, "drop_path")]
    assert rates == pytest.approx([0.1 * block / 7 for block in range(8) for _ in range(2)])


def test_b0_is_random_in_training_alone():
    torch.manual_seed(0)
    network, x = MiTSegFormer(), torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert not torch.equal(network(x), network(x))
        network.eval()
        assert torch.equal(network(x), network(x))


@both
def test_pictures_of_any_size_channels_and_classes(network: Network):
    module = network.module(in_channels=1, classes=3, **SMALL).eval()
    with torch.no_grad():
        assert module(torch.zeros(2, 1, 50, 71)).shape == (2, 3, 50, 71)


@both
def test_every_parameter_learns(network: Network):
    module = network.module(**SMALL)
    module(torch.randn(2, 3, 64, 64)).square().mean().backward()
    assert all(p.grad is not None for p in module.parameters())


@both
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"widths": (32, 64, 160)}, "widths should be four numbers from 1 on, not [32, 64, 160]"),
        ({"depths": (2, 2, 2, 0)}, "depths should be four numbers from 1 on, not [2, 2, 2, 0]"),
        ({"heads": (1, 2, 3, 8)}, "heads should divide widths"),
        ({"reductions": (8, 4, 2, 2)}, "should divide 8, 4, 2 and 1, not be [8, 4, 2, 2]"),
        ({"decoder_width": 0}, "decoder_width should be at least 1, not 0"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(network: Network, arguments, sentence: str):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        network.module(**arguments)


@pytest.mark.parametrize("name", ["dropout", "drop_path"])
def test_shares_are_checked(name: str):
    with pytest.raises(UsageError, match=f"{name} should be at least 0 and below 1, not 1.0"):
        MiTSegFormer(**{name: 1.0})
