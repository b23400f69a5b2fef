"""The native scan: every vector width, any number of threads, and what it leaves alone."""

import pytest
import torch
from torch import Tensor

from tinyseg import native
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.native import Native
from tinyseg.scan.reference import reference_scan

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))


def draw(batch=2, length=37, channels=20, states=16, full=True) -> Arguments:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    sequence = (batch, length, channels)
    x, delta, z = normal(*sequence), normal(*sequence), normal(*sequence)
    A = -torch.exp(normal(channels, states))
    B, C = normal(batch, length, states), normal(batch, length, states)
    D, bias = normal(channels), normal(channels) / 10
    if full:
        return Arguments(x, delta, A, B, C, D, z, bias, delta_softplus=True)
    return Arguments(x, delta.abs(), A, B, C)


def outcome(scan, arguments: Arguments) -> list[Tensor]:
    """The result, the last state and the gradients of a scan."""
    leaves = [None if t is None else t.detach().requires_grad_() for t in arguments.tensors]
    y, last = scan(Arguments(*leaves, *arguments[8:]))
    weight = 1 + torch.cos(torch.arange(y.numel(), dtype=y.dtype)).reshape(y.shape) / 2
    (y * weight).sum().backward()
    return [y.detach(), last.detach(), *(leaf.grad for leaf in leaves if leaf is not None)]


def assert_close_to_float64(arguments: Arguments) -> None:
    found = outcome(Native().scan, arguments)
    exact = outcome(reference_scan, arguments.to(torch.float64))
    for number, (a, b) in enumerate(zip(found, exact, strict=True)):
        bound = (1e-6 if number < 2 else 5e-6) * b.abs().max()
        assert (a - b).abs().max() <= bound, f"output {number}"


@pytest.mark.parametrize("full", [True, False], ids=["everything fused", "bare"])
@pytest.mark.parametrize("channels", [1, 4, 12, 16, 17, 40])
@pytest.mark.parametrize("states", [1, 8, 16, 20])
def test_every_width_agrees_with_float64(width, channels, states, full):
    assert_close_to_float64(draw(channels=channels, states=states, full=full))


@pytest.mark.parametrize("length", [1, 15, 16, 17, 33])
def test_blocks_are_crossed_at_every_width(width, length):
    assert_close_to_float64(draw(length=length))


def test_wide_layers_are_divided_into_groups_of_channels(width):
    assert_close_to_float64(draw(batch=1, length=20, channels=1024))


@pytest.mark.parametrize("shape", [(8, 100, 12, 16), (1, 50, 512, 16), (3, 1, 5, 4)])
def test_the_number_of_threads_changes_no_bit(threads, shape):
    found = []
    for count in (1, 2, 5):
        torch.set_num_threads(count)
        found.append(outcome(Native().scan, draw(*shape)))
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_kept_states_are_a_sixteenth_of_all(width):
    shape = Native().starts_shape(draw(8, 1024, 32, 16))
    assert torch.Size(shape).numel() * 16 == 8 * 1024 * 32 * 16


def test_it_leaves_float64_and_euler_to_others():
    assert "takes float32" in Native().refuses(draw().to(torch.float64))
    assert "zoh" in Native().refuses(draw()._replace(discretisation="euler"))
    assert Native().refuses(draw()) is None


def test_nothing_is_written_beyond_the_results(width):
    """Tensors in the middle of larger ones, whose surroundings stay as they were."""
    arguments = draw(batch=2, length=19, channels=13, states=5)
    guarded = []
    for tensor in arguments.tensors:
        around = torch.full((tensor.numel() + 64,), 7.0)
        around[32:-32] = tensor.flatten()
        guarded.append(around)
    inside = [
        around[32:-32].view(tensor.shape)
        for around, tensor in zip(guarded, arguments.tensors, strict=True)
    ]
    expected = outcome(Native().scan, arguments)
    found = outcome(Native().scan, Arguments(*inside, *arguments[8:]))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    for around in guarded:
        assert (around[:32] == 7).all() and (around[-32:] == 7).all()
