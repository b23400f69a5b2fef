"""Every backend computes the recurrence and its gradients, whatever the sizes and strides.

Errors are relative to the largest entry of what autograd gives in float64.
"""

from itertools import combinations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.scan.conftest import HERE, why_not
from tests.scan.drawing import NAMES, OPTIONS, assert_exact, draw, outcome, truth
from tinyseg.scan import BACKENDS, scan_sequence
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.backend import Backend
from tinyseg.scan.sequence import scan_in_form

OTHERS = [name for name in BACKENDS if name not in HERE]
SETS = [chosen for size in range(5) for chosen in combinations(OPTIONS, size)]


def needs(backend: Backend, arguments: Arguments) -> None:
    if reason := backend.refuses(arguments):
        pytest.skip(f"{backend.name} {reason}")


@pytest.mark.parametrize("name", OTHERS)
def test_the_contract_holds_for_every_backend(name):
    pytest.skip(why_not(BACKENDS[name]) or "")


# One step, around whole blocks of 8, 16 and 64, and many blocks.
@pytest.mark.parametrize("length", [1, 7, 8, 9, 15, 16, 17, 63, 64, 65, 1000])
def test_any_length(backend, length):
    assert_exact(backend.scan, draw(2, length, 12, 16))


def test_a_long_sequence(backend):
    assert_exact(backend.scan, draw(1, 4096, 3, 16))


@pytest.mark.parametrize("channels", [1, 12, 17, 1024])
def test_any_number_of_channels(backend, channels):
    assert_exact(backend.scan, draw(2, 20, channels, 16))


@pytest.mark.parametrize("states", [1, 4, 8, 20, 32])
def test_any_number_of_states(backend, states):
    arguments = draw(3, 20, 17, states)
    needs(backend, arguments)
    assert_exact(backend.scan, arguments)


@pytest.mark.parametrize("batch", [1, 40])
def test_any_batch(backend, batch):
    assert_exact(backend.scan, draw(batch, 70, 6, 16))


@pytest.mark.parametrize("shape", [(0, 7, 5), (2, 0, 5)], ids=["no batch", "no steps"])
def test_nothing_gives_nothing(backend, shape):
    found = outcome(backend.scan, draw(*shape, 4))
    assert found["y"].shape == shape
    assert not any(tensor.any() for tensor in found.values())


@pytest.mark.parametrize("steps", [(1e-4, 20), (1e-4, 1.01e-4), (19.9, 20)], ids=str)
def test_steps_from_tiny_to_large(backend, steps):
    arguments = draw(2, 200, 12, 16, options=("D", "z"), steps=steps)
    S4D = -torch.arange(1.0, 17).repeat(12, 1)
    assert_exact(backend.scan, arguments._replace(A=S4D))


@pytest.mark.parametrize("discretisation", ["zoh", "euler"])
@pytest.mark.parametrize("options", SETS, ids=lambda chosen: "+".join(chosen) or "bare")
def test_every_combination_of_options(backend, options, discretisation):
    arguments = draw(2, 19, 5, 16, options=options, discretisation=discretisation)
    needs(backend, arguments)
    assert_exact(backend.scan, arguments)


def test_one_step_has_no_gradient_through_the_decay(backend):
    """The state is zero before it, whatever A is."""
    found = outcome(backend.scan, draw(3, 1, 12, 16))
    assert torch.equal(found["A"], torch.zeros(12, 16))


def test_gradcheck(backend):
    arguments = draw(2, 6, 3, 2, dtype=torch.float64)
    needs(backend, arguments)
    tensors = [tensor.requires_grad_() for tensor in arguments.tensors]
    assert torch.autograd.gradcheck(lambda *t: backend.scan(Arguments(*t, True))[0], tensors)


def as_a_layer_slices(arguments: Arguments) -> Arguments:
    """x and z halves of one tensor, delta, B and C parts of another."""
    x, delta, A, B, C, D, z, *rest = arguments
    x, z = torch.cat([x, z], 2).chunk(2, 2)
    first = torch.zeros(*x.shape[:2], 3)
    parts = [3, x.shape[2], A.shape[1], A.shape[1]]
    _, delta, B, C = torch.cat([first, delta, B, C], 2).split(parts, 2)
    return Arguments(x, delta, A, B, C, D, z, *rest)


def time_innermost(arguments: Arguments) -> Arguments:
    """As a convolution over time leaves them: the last stride is not 1."""
    swapped = [
        None if t is None else t.transpose(-2, -1).contiguous().transpose(-2, -1)
        for t in (t if t is not None and t.dim() > 1 else None for t in arguments.tensors)
    ]
    vectors = [torch.stack([t, t], 1)[:, 0] for t in (arguments.D, arguments.delta_bias)]
    x, delta, A, B, C, _, z, _ = swapped
    return Arguments(x, delta, A, B, C, vectors[0], z, vectors[1], *arguments[8:])


def expanded(arguments: Arguments) -> Arguments:
    """The same for all batches, steps or channels: strides of 0."""
    x, delta, A, B, C, D, z, bias, *rest = arguments
    return Arguments(
        x[:1].expand_as(x),
        delta[..., :1].expand_as(delta),
        A[:1].expand_as(A),
        B[:, :1].expand_as(B),
        C[..., :1].expand_as(C),
        D[:1].expand_as(D),
        z[:1, :, :1].expand_as(z),
        bias[:1].expand_as(bias),
        *rest,
    )


@pytest.mark.parametrize("layout", [as_a_layer_slices, time_innermost, expanded])
def test_strides_do_not_matter(backend, layout):
    arguments = layout(draw(3, 21, 17, 16))
    assert any(not t.is_contiguous() for t in arguments.tensors)
    assert_exact(backend.scan, arguments)


@pytest.mark.parametrize("grad", ["expanded", "transposed"])
def test_the_strides_of_the_incoming_gradient_do_not_matter(backend, grad):
    arguments = draw(3, 21, 17, 16)
    x = arguments.x.requires_grad_()
    one = torch.full((1,), 0.5).expand_as(x)
    incoming = one if grad == "expanded" else torch.randn(21, 17, 3).permute(2, 0, 1)
    (found,) = torch.autograd.grad(backend.scan(arguments)[0], x, incoming)
    (expected,) = torch.autograd.grad(backend.scan(arguments)[0], x, incoming.contiguous())
    assert torch.equal(found, expected)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 90), st.integers(1, 40)),
    states=st.sampled_from([1, 3, 16, 24]),
    options=st.sampled_from(SETS),
    layouts=st.tuples(*[st.permutations(range(3))] * 5),
    every=st.integers(1, 3),
)
def test_any_shape_and_stride(backend, sizes, states, options, layouts, every):
    arguments = draw(*sizes, states, options=options)
    if backend.refuses(arguments):
        return
    sequences = ("x", "delta", "B", "C", "z")
    strided = {
        name: laid_out(getattr(arguments, name), order, every)
        for name, order in zip(sequences, layouts, strict=True)
        if getattr(arguments, name) is not None
    }
    # Sums over few channels may cancel; a wrong stride would be wrong in the first digit.
    assert_exact(backend.scan, arguments._replace(**strided), forward=1e-5, gradients=1e-3)


def laid_out(tensor: Tensor, order: tuple[int, ...], every: int) -> Tensor:
    """The same values in a memory order, with gaps along the innermost dimension."""
    back = [order.index(dimension) for dimension in range(3)]
    permuted = tensor.permute(*order)
    return permuted.repeat_interleave(every, 2)[..., ::every].permute(*back)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_half_types_are_computed_in_float32(backend, half):
    arguments = draw(2, 300, 12, 16, dtype=half)
    arguments = arguments._replace(A=arguments.A.float())
    y = scan_sequence(*arguments.tensors, True, backend=backend.name)
    assert y.dtype == half
    exact = truth(arguments)["y"]
    assert (y.double() - exact).abs().max() <= torch.finfo(half).eps / 2 * exact.abs().max() + 1e-6


def test_gradients_of_half_types_come_in_their_type(backend):
    leaves = [t.requires_grad_() for t in draw(2, 50, 12, 16, dtype=torch.bfloat16).tensors]
    scan_sequence(*leaves, True, backend=backend.name).sum().backward()
    assert {leaf.grad.dtype for leaf in leaves} == {torch.bfloat16}


def test_autocast_changes_nothing(backend):
    """Also not where the backward runs under it."""

    def scan(arguments: Arguments) -> tuple[Tensor, Tensor]:
        return scan_in_form(arguments, backend.name)

    arguments = draw(2, 100, 40, 16)
    expected = outcome(scan, arguments)
    with torch.autocast("cpu", torch.bfloat16):
        found = outcome(scan, arguments)
    for name, tensor in found.items():
        assert torch.equal(tensor, expected[name]), name


def test_autocast_inputs_are_taken(backend):
    leaf = torch.randn(2, 30, 12)
    arguments = draw(2, 30, 12, 16)
    with torch.autocast("cpu", torch.bfloat16):
        x = torch.nn.functional.linear(leaf, torch.eye(12))
        y = scan_sequence(x, *arguments[1:9], backend=backend.name)
    assert x.dtype == y.dtype == torch.bfloat16
    exact = truth(arguments._replace(x=x))["y"]
    assert (y.double() - exact).abs().max() <= 2**-8 * exact.abs().max()


def test_the_last_state_carries_no_gradient(backend):
    arguments = draw()
    arguments.x.requires_grad_()
    y, last = backend.scan(arguments)
    assert y.requires_grad
    assert not last.requires_grad


def test_a_part_of_the_inputs_may_want_gradients(backend):
    arguments = draw(2, 20, 12, 16)
    expected = outcome(backend.scan, arguments)
    for name in NAMES:
        leaf = getattr(arguments, name).clone().requires_grad_()
        y, _ = backend.scan(arguments._replace(**{name: leaf}))
        weight = 1 + torch.cos(torch.arange(y.numel(), dtype=y.dtype)).reshape(y.shape) / 2
        (y * weight).sum().backward()
        assert torch.equal(leaf.grad, expected[name]), name
