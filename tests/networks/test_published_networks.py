"""The networks of the paper: exact counts, and values made once with the original code."""

import pytest
import torch

from tests.networks.check_values import fill, picture
from tinyseg.errors import UsageError
from tinyseg.networks import build, parse_arguments


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


def test_step_sizes_start_as_in_the_original():
    bias = dict(build("ul-vm-unet").named_parameters())["encoder4.0.mamba.dt_proj.bias"]
    assert bias.abs().max() == 0


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
