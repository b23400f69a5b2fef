"""What stands in for GELU and softplus on microcontrollers, against PyTorch in float64."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tinyseg.exporters.tflite_mcu import MicrocontrollerOperators
from tinyseg.runs.records import Precision

VALUES = torch.linspace(-30, 30, 400_001)
LARGE = torch.tensor([-1e30, -1e4, -88.8, 88.8, 1e4, 1e30])


@pytest.mark.parametrize(("precision", "most"), [("fp32", 1e-6), ("int8-full", 3e-4)])
def test_gelu_is_as_exact_as_the_precision_wants(precision: Precision, most: float):
    with MicrocontrollerOperators(precision):
        found, of_layer, large = F.gelu(VALUES), nn.GELU()(VALUES), F.gelu(LARGE)
    assert (found - F.gelu(VALUES.double())).abs().max() < most
    assert torch.equal(found, of_layer)
    assert torch.equal(large, F.gelu(LARGE))


def test_a_network_that_wants_the_tanh_gets_it():
    with MicrocontrollerOperators("fp32"):
        found = nn.GELU("tanh")(VALUES)
    assert (found - F.gelu(VALUES.double(), approximate="tanh")).abs().max() < 1e-6


@pytest.mark.parametrize("layer", [nn.Softplus(), nn.Softplus(beta=3)], ids=["1", "3"])
def test_softplus_is_exact_and_never_overflows(layer: nn.Module):
    with MicrocontrollerOperators("int8-full"):
        found, large = layer(VALUES), layer(LARGE)
    torch.testing.assert_close(found.double(), layer(VALUES.double()), atol=1e-6, rtol=1e-7)
    assert torch.allclose(large, layer(LARGE))


def test_outside_the_block_all_is_as_before():
    with MicrocontrollerOperators("int8-full"):
        inside = F.gelu(VALUES)
    assert torch.equal(F.gelu(VALUES), nn.GELU()(VALUES))
    assert not torch.equal(F.gelu(VALUES), inside)


def test_what_is_traced_has_neither():
    class Both(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.softplus(F.gelu(x))

    with MicrocontrollerOperators("fp32"):
        program = torch.export.export(Both(), (VALUES,))
    called = {str(node.target) for node in program.graph.nodes}
    assert not {name for name in called if "gelu" in name or "softplus" in name}
    assert "aten.sigmoid.default" in called
