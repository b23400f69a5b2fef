"""The networks of the paper: exact counts, and values made once with the original code."""

import re
from dataclasses import dataclass

import pytest
import torch

from tests.networks.check_values import fill, picture
from tinyseg.counting import count
from tinyseg.errors import UsageError
from tinyseg.layers import Mamba
from tinyseg.networks import Network, build, parse_arguments, registry
from tinyseg.networks.ul_vm_unet import ULVMUNet


def test_the_check_picture_is_the_published_one():
    x = picture()
    assert x.mean().item() == pytest.approx(0.5019709472, abs=1e-10)
    assert x[0, :, 5, 7].tolist() == pytest.approx(
        [0.9156917304, 0.0008295279, 0.9448789992], abs=1e-10
    )


# Parameters, and fvcore's multiply-accumulates at 1x3x256x256 without the recurrence.
COUNTS = {
    "ul-vm-unet": (49_457, 72_876_864),
    "ul-vm-unet-v1": (217_165, 267_545_808),
    "ul-vm-unet-v2": (42_737, 71_623_488),
    "ul-vm-unet-v3": (176_453, 238_447_824),
    "ul-vm-unet-v4": (1_135_309, 322_746_704),
    "ul-vm-unet-v5": (703_885, 316_819_280),
    "ul-vm-unet-v6": (769_677, 317_613_904),
    "unet": (7_765_985, 12_103_188_480),
}


@pytest.mark.parametrize(("name", "parameters", "macs"), [(n, *c) for n, c in COUNTS.items()])
def test_counts_are_exact(name: str, parameters: int, macs: int):
    counted = count(build(name), name=name)
    assert (counted.parameters, counted.macs.fvcore) == (parameters, macs)
    assert counted.unused_parameters == 0


# Encoder stages, bridge, decoder stages, norms of the encoder and of the decoder, head.
PARTS = {
    "ul-vm-unet": (
        (224, 1_168, 3_480, 1_749, 2_945, 5_465), 16_614,
        (6_609, 3_897, 2_153, 3_472, 1_160), 256, 256, 9,
    ),
    "ul-vm-unet-v1": (
        (448, 4_640, 3_473, 11_809, 43_201), 57_942,
        (66_049, 18_433, 5_569, 4_624), 480, 480, 17,
    ),
    "ul-vm-unet-v2": (
        (224, 1_168, 3_480, 1_245, 2_201, 4_133), 16_614,
        (4_545, 2_565, 1_409, 3_472, 1_160), 256, 256, 9,
    ),
    "ul-vm-unet-v3": (
        (448, 4_640, 2_729, 9_745, 36_641), 57_942,
        (43_329, 11_873, 3_505, 4_624), 480, 480, 17,
    ),
    "ul-vm-unet-v4": (
        (448, 4_640, 18_496, 13_905, 53_153, 207_809), 246_614,
        (427_649, 109_121, 28_385, 18_464, 4_624), 992, 992, 17,
    ),
    "ul-vm-unet-v5": (
        (448, 4_640, 18_496, 9_745, 36_641, 142_017), 246_614,
        (164_993, 43_329, 11_873, 18_464, 4_624), 992, 992, 17,
    ),
    "ul-vm-unet-v6": (
        (448, 4_640, 18_496, 9_745, 36_641, 207_809), 246_614,
        (164_993, 43_329, 11_873, 18_464, 4_624), 992, 992, 17,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_every_part_has_its_published_share_of_parameters(name: str):
    counted = {
        part: sum(p.numel() for p in module.parameters())
        for part, module in build(name).named_children()
    }

    def stages(prefix: str) -> tuple[int, ...]:
        return tuple(n for part, n in counted.items() if part.startswith(prefix))

    assert PARTS[name] == (
        stages("encoder"), counted["scab"], stages("decoder"),
        sum(stages("ebn")), sum(stages("dbn")), counted["final"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("branches", "parameters"), [(1, 136_269), (2, 69_589), (4, 49_457), (8, 42_737)]
)
def test_branches_change_the_count_as_published(branches: int, parameters: int):
    network = build("ul-vm-unet", branches=branches)
    assert sum(p.numel() for p in network.parameters()) == parameters


# Mean, standard deviation and three pixels of what the original gives for the check picture; the
# UL family's are probabilities.
VALUES = {
    "ul-vm-unet": (0.5539748345, 0.1248018946, 0.2655339406, 0.5134401606, 0.9953128129),
    "ul-vm-unet-v1": (0.4567882242, 0.0992889022, 0.8595722980, 0.1268329029, 0.2757917088),
    "ul-vm-unet-v2": (0.5513906976, 0.1249949393, 0.2410066472, 0.5106747563, 0.9936525378),
    "ul-vm-unet-v3": (0.4588649291, 0.1011017205, 0.8488942675, 0.1735255045, 0.2494482247),
    "ul-vm-unet-v4": (0.6053543060, 0.0992810632, 0.4408627071, 0.5407102170, 0.9995459560),
    "ul-vm-unet-v5": (0.5728702931, 0.1096446853, 0.3861091119, 0.5319408159, 0.9996150096),
    "ul-vm-unet-v6": (0.5143553983, 0.1433018164, 0.5647296665, 0.5835026873, 0.0316461793),
    "unet": (-0.0870302097, 0.2100462940, -0.0904177854, -0.0834838745, 0.8707193785),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_equal_the_original_code(name: str):
    with torch.no_grad():
        y = fill(build(name))(picture())[0, 0]
    y, values = torch.sigmoid(y) if name.startswith("ul") else y, VALUES[name]
    measured = (y.mean(), y.std(correction=0), y[0, 0], y[5, 7], y[-1, -1])
    assert [value.item() for value in measured] == pytest.approx(values, abs=1e-10)


def test_parameter_names_are_the_original_ones():
    names = set(dict(build("ul-vm-unet").named_parameters()))
    assert len(names) == 129
    assert {
        "encoder1.0.weight",
        "encoder4.0.mamba.A_log",
        "encoder6.0.skip_scale",
        "scab.catt.get_all_att.weight",
        "scab.satt.shared_conv2d.0.bias",
        "dbn5.weight",
        "final.bias",
    } <= names


def fresh(**arguments) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(build("ul-vm-unet", **arguments).named_parameters())


def test_step_sizes_start_as_in_the_original():
    assert fresh()["encoder4.0.mamba.dt_proj.bias"].abs().max() == 0


def test_step_sizes_may_start_as_in_mamba_ssm():
    for name, bias in fresh(init="mamba").items():
        if name.endswith("dt_proj.bias"):
            dt = torch.nn.functional.softplus(bias)
            assert 0.99e-3 < dt.min() < dt.max() < 0.101, name


def test_init_changes_the_layers_inside_mamba_alone():
    """Rows of a Linear start within 1/sqrt(inputs) inside Mamba, near 0.02 elsewhere."""
    own, original = fresh(init="mamba"), fresh(init="original")
    assert own["decoder1.0.mamba.in_proj.weight"].std().item() == pytest.approx(1 / 48**0.5, 0.1)
    assert original["decoder1.0.mamba.in_proj.weight"].std().item() == pytest.approx(0.02, 0.1)
    for parameters in (own, original):
        assert parameters["decoder1.0.proj.weight"].std().item() == pytest.approx(0.02, 0.1)
        assert parameters["decoder1.0.proj.bias"].abs().max() == 0
        assert parameters["encoder2.0.bias"].abs().max() == 0
        assert torch.equal(parameters["encoder4.0.mamba.D"], torch.ones(12))


def test_discretisation_reaches_every_mamba():
    layers = [m for m in build("ul-vm-unet", discretisation="euler").modules() if type(m) is Mamba]
    assert [layer.discretisation for layer in layers] == ["euler"] * 6


def test_both_discretisations_give_finite_logits_with_the_start_of_mamba():
    weights, maps = fresh(init="mamba"), []
    for discretisation in ("zoh", "euler"):
        network = build("ul-vm-unet", discretisation=discretisation)
        network.load_state_dict(weights)
        with torch.no_grad():
            maps.append(network(picture().float()))
    assert all(logits.isfinite().all() for logits in maps)
    assert not torch.equal(*maps)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("init=zeros", "init of ul-vm-unet should be 'original' or 'mamba', not 'zeros'"),
        ("init=5", "init of ul-vm-unet should be 'original' or 'mamba', not 5"),
        (
            "discretisation=linear",
            "discretisation of ul-vm-unet should be 'zoh' or 'euler', not 'l",
        ),
        ("branches=four", "branches of ul-vm-unet should be a valid integer, not 'four'"),
        ("branches=true", "branches of ul-vm-unet should be a valid integer, not True"),
        (
            "channels=[8, 0.5]",
            "item 1 of channels of ul-vm-unet should be a valid integer",
        ),
    ],
)
def test_values_of_another_type_are_refused(setting: str, sentence: str):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        parse_arguments("ul-vm-unet", [setting])


def test_python_is_told_the_same_as_the_command_line():
    with pytest.raises(UsageError, match="branches of ul-vm-unet should be a valid integer"):
        build("ul-vm-unet", branches="four")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"init": "zeros"}, "init should be 'original' or 'mamba', not 'zeros'"),
        ({"discretisation": "linear"}, "discretisation should be 'zoh' or 'euler', not 'linear'"),
        ({"channels": (8, 0, 8, 8, 8)}, "at least five multiples of 4, not [8, 0, 8, 8, 8]"),
        ({"branches": 0}, "cannot be shared by 0 branches"),
    ],
)
def test_the_class_itself_says_what_it_takes(arguments, sentence: str):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        ULVMUNet(**arguments)


@dataclass
class _Size:
    side: int


def test_arguments_come_as_the_constructor_wants_them(monkeypatch):
    def module(in_channels, classes, widths: tuple[int, ...], free=None, size: _Size | None = None):
        return widths, free, size

    monkeypatch.setattr(registry, "known", lambda name: Network(module, "test"))
    assert build("any", widths=[1, 2], free="x") == ((1, 2), "x", None)
    size = _Size(3)
    assert build("any", widths=(1, 2), size=size) == ((1, 2), None, size)


@pytest.mark.parametrize(("in_channels", "classes"), [(1, 1), (4, 3)])
@pytest.mark.parametrize("name", ["ul-vm-unet", "unet"])
def test_any_channels_and_classes(name: str, in_channels: int, classes: int):
    network = build(name, in_channels=in_channels, classes=classes)
    assert network(torch.zeros(2, in_channels, 64, 96)).shape == (2, classes, 64, 96)


@pytest.mark.parametrize("size", [(50, 71), (7, 5)])
@pytest.mark.parametrize("name", ["ul-vm-unet", "unet"])
def test_pictures_of_any_size_are_extended_by_their_border_and_cropped(name: str, size):
    network = build(name).eval()
    height, width = size
    x = torch.randn(2, 3, height, width)
    rows, columns = (
        torch.arange(-(-side // network.multiple) * network.multiple).clamp(max=side - 1)
        for side in size
    )
    with torch.no_grad():
        y, whole = network(x), network(x[:, :, rows][..., columns])
    assert y.shape == (2, 1, height, width)
    assert torch.equal(y, whole[..., :height, :width])


@pytest.mark.parametrize("name", COUNTS)
def test_every_parameter_learns(name: str):
    network = build(name)
    network(torch.randn(2, 3, 64, 64)).square().mean().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_a_wrong_name_suggests_the_nearest():
    with pytest.raises(UsageError, match="Did you mean 'ul-vm-unet'"):
        build("ul-vmunet")


def test_settings_become_arguments():
    assert parse_arguments("unet", ["base-channels=8", "depth=3"]) == {
        "base_channels": 8,
        "depth": 3,
    }
    with pytest.raises(UsageError, match=r"no argument called 'width'.*base_channels, depth"):
        parse_arguments("unet", ["width=3"])
    with pytest.raises(UsageError, match="should be NAME=VALUE"):
        parse_arguments("unet", ["depth"])
