"""What is known of a network, beside the network itself."""

import pytest
from torch import nn

from tinyseg.networks import listing, segformer, ul_vm_unet, umamba
from tinyseg.networks.registry import Network, defaults


@pytest.mark.parametrize(
    ("network", "on", "says"),
    [
        (ul_vm_unet.UL_VM_UNET, "dice", "misprint of 0.7955:"),
        (ul_vm_unet.V1, "parameters_m", "misprint of 0.217 M"),
        (ul_vm_unet.V2, "parameters_m", "42,737"),
        (ul_vm_unet.V4, "dice", "0.8548675"),
        (umamba.UMAMBA_BOT_PP, "parameters_m", "10,076,356"),
        (segformer.SEGFORMER, "dice", "0.79446"),
    ],
)
def test_misprinted_truncated_and_doubtful_figures_have_a_remark(network, on, says):
    paper = network.paper
    assert paper.remark_on == on
    assert says in paper.remark


@pytest.mark.parametrize("network", [ul_vm_unet.V3, ul_vm_unet.V5, umamba.UMAMBA_BOT])
def test_figures_that_are_right_have_none(network):
    assert network.paper.remark is None


@pytest.mark.parametrize("network", [umamba.UMAMBA_BOT, umamba.UMAMBA_BOT_PP])
def test_u_mamba_says_what_of_its_parameters_does_nothing(network):
    assert network.unused == 451
    assert "451 parameters are unused" in network.note
    assert "2,976 more are biases" in network.note


def test_a_variant_stands_with_its_own_arguments_among_the_defaults():
    assert defaults(ul_vm_unet.V6) == {
        "channels": (16, 32, 64, 128, 256, 512),
        "branches": 8,
        "pyramid": "innermost",
        "mixer": "s6",
        "init": "original",
        "discretisation": "zoh",
    }


def test_defaults_that_json_does_not_know_are_told_as_text(monkeypatch):
    def convolution(in_channels=3, classes=1, norm=nn.Identity, sides=(1, 1), **others):
        return nn.Sequential(norm(), nn.Conv2d(in_channels, classes, sides))

    network = Network(convolution, family="Example", note="4 here, 5 there: no bias there.")
    monkeypatch.setattr(listing, "known", lambda _: network)
    monkeypatch.setattr(listing, "build", lambda _, **shape: network.module(**shape))
    [listed] = listing.list_networks(["example"]).networks
    assert listed.arguments == {"norm": str(nn.Identity), "sides": [1, 1]}
    assert (listed.parameters, listed.paper, listed.note) == (4, None, network.note)
