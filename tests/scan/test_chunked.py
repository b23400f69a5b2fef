"""The chunked scan where blocks, segments and side-by-side stretches meet, in both layouts."""

from itertools import pairwise
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from tinyseg.scan import chunked_blocks, chunked_plan
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.chunked import Chunked
from tinyseg.scan.chunked_plan import Plan
from tinyseg.scan.reference import reference_scan


class Sizes(NamedTuple):
    batch: int
    channels: int
    states: int


# By layout and number of stretches side by side.
CHANNELS_LAST = Sizes(4, 64, 16)
CHANNELS_LAST_SIDE = Sizes(1, 40, 4)
LANES_LAST = Sizes(40, 6, 3)
LANES_LAST_SIDE = Sizes(2, 6, 4)
ALL = [CHANNELS_LAST, CHANNELS_LAST_SIDE, LANES_LAST, LANES_LAST_SIDE]
ALL_NAMES = [
    "channels last",
    "channels last, side by side",
    "lanes last",
    "lanes last, side by side",
]
every_layout = pytest.mark.parametrize("sizes", ALL, ids=ALL_NAMES)


def draw(sizes: Sizes, length: int, *, full: bool = True, discretisation="zoh") -> Arguments:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    batch, channels, states = sizes
    rows, coefficients = (batch, length, channels), (batch, length, states)
    return Arguments(
        normal(*rows),
        normal(*rows) if full else 0.3 * normal(*rows).abs(),
        -torch.exp(normal(channels, states) / 2),
        normal(*coefficients),
        normal(*coefficients),
        normal(channels) if full else None,
        normal(*rows) if full else None,
        normal(channels) if full else None,
        full,
        discretisation,
    )


def outcome(scan, arguments: Arguments) -> tuple[Tensor, ...]:
    """y, last state and the gradients of an uneven sum of y."""
    leaves = [None if t is None else t.clone().requires_grad_() for t in arguments.tensors]
    y, last = scan(Arguments(*leaves, *arguments[8:]))
    weight = torch.cos(torch.arange(y.numel(), dtype=y.dtype)).view(y.shape)
    wanted = [leaf for leaf in leaves if leaf is not None]
    return y, last, *torch.autograd.grad((y * weight).sum(), wanted)


def check(arguments: Arguments) -> None:
    expected = outcome(reference_scan, arguments)
    found = outcome(Chunked().scan, arguments)
    for number, (a, b) in enumerate(zip(found, expected, strict=True)):
        assert (a - b).abs().max() <= 1e-12 * b.abs().max(), f"output {number}"


def test_the_sizes_of_these_tests_reach_every_layout():
    plans = [Plan.of(draw(sizes, 1000)) for sizes in ALL]
    assert [(plan.channels_last, plan.side > 1) for plan in plans] == [
        (True, False),
        (True, True),
        (False, False),
        (False, True),
    ]


@every_layout
@pytest.mark.parametrize("discretisation", ["zoh", "euler"])
def test_results_and_gradients_are_the_references(sizes, discretisation):
    """Also where the sequence is no multiple of anything."""
    arguments = draw(sizes, 523, discretisation=discretisation)
    if discretisation == "euler":  # states must not grow without bound
        arguments = arguments._replace(delta=arguments.delta - 4, A=arguments.A / 4)
    check(arguments)


@every_layout
def test_all_that_is_optional_may_be_absent(sizes):
    check(draw(sizes, 300, full=False))


@pytest.mark.parametrize("sizes", [CHANNELS_LAST, LANES_LAST], ids=["channels last", "lanes last"])
@pytest.mark.parametrize("blocks", [1, chunked_plan._BLOCKS_IN_SEGMENT], ids=["block", "segment"])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_an_edge_may_fall_anywhere(sizes, blocks, more):
    check(draw(sizes, blocks * Plan.of(draw(sizes, 1000)).steps + more))


@pytest.mark.parametrize(
    "sizes", [CHANNELS_LAST_SIDE, LANES_LAST_SIDE], ids=["channels last", "lanes last"]
)
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_stretches_side_by_side_may_leave_a_rest(sizes, more):
    plan = Plan.of(draw(sizes, 4000))
    length = plan.side * plan.steps + more
    assert plan.segments(length)[0].side > 1
    check(draw(sizes, length))


@every_layout
def test_one_step(sizes):
    check(draw(sizes, 1))


@every_layout
def test_segments_cover_a_sequence_once(sizes):
    plan = Plan.of(draw(sizes, 1000))
    for length in [*range(1, 100), 1000]:
        segments = plan.segments(length)
        ends = [segment.start + segment.side * segment.steps for segment in segments]
        assert [segment.start for segment in segments] == [0, *ends[:-1]]
        assert ends[-1] == length


@pytest.mark.parametrize(
    "sizes", [Sizes(1, 33, 1), Sizes(9, 1, 2), Sizes(1, 1, 1)], ids=["channels", "lanes", "one"]
)
def test_gradcheck_through_many_blocks(sizes, monkeypatch):
    monkeypatch.setattr(chunked_plan, "_BLOCK_ELEMENTS", 1)
    small = draw(sizes, 9)
    assert Plan.of(small).steps < 9
    tensors = [t.requires_grad_() for t in small.tensors if t is not None]
    assert torch.autograd.gradcheck(
        lambda *t: Chunked().scan(Arguments(*t, *small[8:]))[0], tensors, fast_mode=True
    )


@every_layout
def test_inputs_stay_as_they_were(sizes):
    """Pieces of them may share their memory."""
    arguments = draw(sizes, 70)
    before = [tensor.clone() for tensor in arguments.tensors if tensor is not None]
    outcome(Chunked().scan, arguments)
    y, _, starts = Chunked().forward(arguments, keep_starts=True)
    Chunked().backward(arguments, starts, y)
    for tensor, old in zip((t for t in arguments.tensors if t is not None), before, strict=True):
        assert torch.equal(tensor, old)


def test_an_empty_batch_has_no_results_and_zero_gradients():
    y, last, *gradients = outcome(Chunked().scan, draw(Sizes(0, 5, 2), 7))
    assert (y.shape, last.shape) == ((0, 7, 5), (0, 5, 2))
    assert all(not gradient.any() for gradient in gradients)


@every_layout
def test_steps_of_size_zero_hold_the_state_exactly(sizes):
    arguments = draw(sizes, 2000, full=False).to(torch.float32)
    arguments.delta[:, 1:] = 0
    first = Arguments(*(t[:, :1] if t.dim() == 3 else t for t in arguments[:5]))
    assert torch.equal(Chunked().scan(arguments)[1], Chunked().scan(first)[1])


def test_the_steps_of_a_walk_are_taken_in_order():
    """One call makes all of them, and each needs the one before."""
    factors, states = torch.rand(2, 64, 8192, dtype=torch.float64)
    expected = states.clone()
    for (before, state), factor in zip(pairwise(expected), factors[1:], strict=True):
        state.add_(factor * before)
    chunked_blocks._walk(factors.unbind(0), states.unbind(0))
    torch.testing.assert_close(states, expected)
