"""Layers written for loops over time compute what the network's own do."""

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from tinyseg.exporters.onnx_scans import drop_unread
from tinyseg.exporters.time_first import TimeFirstVision, time_first
from tinyseg.exporters.time_first_mamba import TimeFirstMamba
from tinyseg.layers import Mamba, ParallelVisionMamba
from tinyseg.networks import build
from tinyseg.scan import scan_form


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    torch.manual_seed(0)
    with torch.no_grad(), scan_form("hop2"):
        yield


def test_a_network():
    network = trained(build("ul-vm-unet"))
    rewritten = time_first(network)
    assert sum(isinstance(module, TimeFirstVision) for module in rewritten.modules()) == 6
    images = torch.randn(1, 3, 64, 96)
    assert_close(rewritten(images), network(images))


@pytest.mark.parametrize("discretisation", ["zoh", "euler"])
@pytest.mark.parametrize("height", [4, 16])  # step by step, and in rows
@pytest.mark.parametrize("batch", [1, 2])
def test_a_vision_layer(discretisation, height, batch):
    layer = trained(ParallelVisionMamba(16, 24, discretisation=discretisation))
    x = torch.randn(batch, 16, height, 12)
    assert_close(time_first(layer)(x), layer(x))


@pytest.mark.parametrize("length", [1, 64, 131, 196])
def test_a_sequence_of_any_length(length):
    layer = trained(Mamba(8))
    tokens = torch.randn(2, length, 8)
    assert isinstance(time_first(layer), TimeFirstMamba)
    assert_close(time_first(layer)(tokens), layer(tokens))


@pytest.mark.parametrize(
    "layer", [Mamba(8, kernel=3, convolution="grid"), Mamba(8, bidirectional=True)]
)
def test_other_layers_stay(layer):
    assert type(time_first(layer)) is Mamba


def test_layers_made_of_these_stay():
    class Doubling(nn.Conv2d):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * super().forward(input)

    layer, x = Doubling(3, 1, 1), torch.randn(1, 3, 4, 4)
    torch.testing.assert_close(time_first(nn.Sequential(layer))(x), layer(x))


def test_the_original_stays():
    network = trained(build("ul-vm-unet"))
    before = copy.deepcopy(network.state_dict())
    time_first(network)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_outputs_of_loops_that_nobody_reads_are_dropped():
    program = torch.onnx.export(
        time_first(trained(ParallelVisionMamba(16, 24))),
        (torch.randn(1, 16, 12, 12),),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    graph = program.model_proto.graph

    def outputs() -> list[int]:
        return [len(node.output) for node in graph.node if node.op_type == "Scan"]

    before = outputs()
    drop_unread(graph)
    assert before == [2, 2, 2]
    assert outputs() == [1, 2, 2]


def trained(module: nn.Module) -> nn.Module:
    """Parameters that are not where they start, where zeros and ones hide what is left out."""
    for parameter in module.parameters():
        parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return module.eval()


def assert_close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
