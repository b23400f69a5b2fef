"""The networks of the paper: exact counts, and values made once with the original code."""

import re
from dataclasses import dataclass

import pytest
import torch

from tests.networks.check_values import fill, picture
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


@pytest.mark.parametrize(("name", "parameters"), [("ul-vm-unet", 49_457), ("unet", 7_765_985)])
def test_counts_are_exact(name: str, parameters: int):
    assert sum(p.numel() for p in build(name).parameters()) == parameters


@pytest.mark.parametrize(
    ("branches", "parameters"), [(1, 136_269), (2, 69_589), (4, 49_457), (8, 42_737)]
)
def test_branches_change_the_count_as_published(branches: int, parameters: int):
    network = build("ul-vm-unet", branches=branches)
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize(
    ("name", "squash", "values"),
    [
        (
            "ul-vm-unet",
            torch.sigmoid,
            (0.5539748345, 0.1248018946, 0.2655339406, 0.5134401606, 0.9953128129),
        ),
        (
            "unet",
            lambda y: y,
            (-0.0870302097, 0.2100462940, -0.0904177854, -0.0834838745, 0.8707193785),
        ),
    ],
)
def test_values_equal_the_original_code(name, squash, values):
    with torch.no_grad():
        y = squash(fill(build(name))(picture()))[0, 0]
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


@pytest.mark.parametrize("name", ["ul-vm-unet", "unet"])
def test_every_parameter_learns(name: str):
    network = build(name)
    network(torch.randn(2, 3, 64, 64)).square().mean().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_a_side_that_cannot_be_halved_is_refused_with_sizes_that_work():
    with pytest.raises(UsageError, match=r"multiples of 32, not 64x100.*a size of 64 or 96"):
        build("ul-vm-unet")(torch.zeros(1, 3, 64, 100))


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
