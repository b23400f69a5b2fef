"""Every backend and export form computes the recurrence, and its gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tinyseg.errors import UsageError
from tinyseg.scan import scan_form, scan_sequence, selective_scan
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.chunked import Chunked
from tinyseg.scan.reference import reference_scan as reference


def reference_scan(*tensors):
    return reference(Arguments(*tensors))


def chunked_scan(*tensors):
    return Chunked().scan(Arguments(*tensors))


NAMES = ("x", "delta", "A", "B", "C")


def inputs(batch=2, length=37, channels=5, states=4, dtype=torch.float64, seed=0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x, delta = draw(batch, length, channels), draw(batch, length, channels).abs()
    A = -torch.exp(draw(channels, states))
    tensors = [x, delta, A, draw(batch, length, states), draw(batch, length, states)]
    return [tensor.to(dtype) for tensor in tensors]


def by_hand(x, delta, A, B, C) -> Tensor:
    """The recurrence written as four loops over numbers."""
    y = torch.zeros_like(x)
    for b in range(x.shape[0]):
        for d in range(x.shape[2]):
            h = [0.0] * A.shape[1]
            for t in range(x.shape[1]):
                for n in range(A.shape[1]):
                    decay = torch.exp(delta[b, t, d] * A[d, n]).item()
                    h[n] = decay * h[n] + (delta[b, t, d] * x[b, t, d] * B[b, t, n]).item()
                y[b, t, d] = sum(h[n] * C[b, t, n].item() for n in range(A.shape[1]))
    return y


def test_the_reference_is_the_recurrence_by_hand():
    tensors = inputs(batch=1, length=6, channels=2, states=3)
    torch.testing.assert_close(reference_scan(*tensors)[0], by_hand(*tensors))


@settings(max_examples=40, deadline=None)
@given(
    batch=st.integers(0, 9),
    length=st.integers(1, 150),
    channels=st.integers(1, 40),
    states=st.sampled_from([1, 4, 16]),
)
def test_chunked_equals_reference_for_any_shape(batch, length, channels, states):
    tensors = inputs(batch, length, channels, states)
    expected, last = reference_scan(*tensors)
    y, state = chunked_scan(*tensors)
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(state, last)


@pytest.mark.parametrize("shape", [(40, 70, 6), (2, 70, 40)], ids=["batch long", "channels long"])
def test_chunked_gradients_equal_autograd_of_the_reference(shape):
    tensors = [tensor.requires_grad_() for tensor in inputs(*shape)]
    weight = torch.cos(torch.arange(tensors[0].numel()).double()).reshape(shape)
    expected = torch.autograd.grad((reference_scan(*tensors)[0] * weight).sum(), tensors)
    found = torch.autograd.grad((chunked_scan(*tensors)[0] * weight).sum(), tensors)
    for name, a, b in zip(NAMES, found, expected, strict=True):
        assert (a - b).abs().max() <= 1e-12 * b.abs().max(), name


def test_chunked_gradcheck():
    tensors = [tensor.requires_grad_() for tensor in inputs(2, 11, 3, 2)]
    assert torch.autograd.gradcheck(lambda *t: chunked_scan(*t)[0], tensors)


def test_blocks_are_crossed():
    """One long sequence through many blocks: states are handed on both ways."""
    tensors = [tensor.requires_grad_() for tensor in inputs(1, 1000, 3, 16)]
    expected = torch.autograd.grad(reference_scan(*tensors)[0].square().sum(), tensors)
    found = torch.autograd.grad(chunked_scan(*tensors)[0].square().sum(), tensors)
    for name, a, b in zip(NAMES, found, expected, strict=True):
        assert (a - b).abs().max() <= 1e-11 * b.abs().max(), name


def test_float32_is_close_to_float64():
    single = inputs(8, 1000, 32, 16, dtype=torch.float32)
    double = [tensor.double() for tensor in single]
    expected = reference_scan(*double)[0]
    assert (chunked_scan(*single)[0] - expected).abs().max() <= 1e-6 * expected.abs().max()


def test_strides_do_not_matter():
    x, delta, A, B, C = inputs()
    wide = torch.zeros(2, 37, 2 * 5 + 3, dtype=torch.float64)
    wide[..., 3:8], wide[..., 8:13] = x, delta
    strided = (wide[..., 3:8], wide[..., 8:13], A, *(t.mT.contiguous().mT for t in (B, C)))
    torch.testing.assert_close(chunked_scan(*strided)[0], chunked_scan(x, delta, A, B, C)[0])


def test_second_derivatives_are_refused():
    tensors = [tensor.requires_grad_() for tensor in inputs(1, 5, 2, 2)]
    (first,) = torch.autograd.grad(
        chunked_scan(*tensors)[0].square().sum(), tensors[0], create_graph=True
    )
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


@pytest.mark.parametrize("form", ["operator", "hop2", "g8"])
@pytest.mark.parametrize("length", [1, 4, 17, 64, 120])
def test_export_forms_equal_the_reference(form, length):
    tensors = inputs(2, length, 5, 16)
    with torch.no_grad(), scan_form(form):
        torch.testing.assert_close(scan_sequence(*tensors), reference_scan(*tensors)[0])


def test_half_types_are_computed_in_float32():
    half = [t.bfloat16() if n != "A" else t.float() for n, t in zip(NAMES, inputs(), strict=True)]
    y = scan_sequence(*half)
    assert y.dtype == torch.bfloat16
    exact = reference_scan(*(tensor.double() for tensor in half))[0]
    assert (y.double() - exact).abs().max() <= 2**-8 * exact.abs().max()


def full_arguments(groups: int | None = None, constant: bool = False) -> dict[str, Tensor]:
    x, delta, A, B, C = inputs(channels=6)
    if constant:
        B, C = (torch.randn(6, 4).double() for _ in range(2))
    elif groups:
        B, C = (torch.randn(2, groups, 4, 37).double() for _ in range(2))
    else:
        B, C = B.mT, C.mT
    return {"u": x.mT, "delta": delta.mT, "A": A, "B": B, "C": C}


@pytest.mark.parametrize("kind", [{}, {"groups": 3}, {"constant": True}])
def test_selective_scan_takes_every_kind_of_coefficient(kind):
    arguments = full_arguments(**kind)
    D, z, bias = (torch.randn(*shape).double() for shape in ((6,), (2, 6, 37), (6,)))
    y, last = selective_scan(
        **arguments, D=D, z=z, delta_bias=bias, delta_softplus=True, return_last_state=True
    )
    delta = torch.nn.functional.softplus(arguments["delta"] + bias[:, None])
    for channel in range(6):
        B, C = (per_channel(arguments[name], channel) for name in "BC")
        alone = by_hand(
            *(t[:, channel, :, None] for t in (arguments["u"], delta)),
            arguments["A"][channel : channel + 1],
            B,
            C,
        )[..., 0]
        gate = torch.nn.functional.silu(z[:, channel])
        torch.testing.assert_close(
            y[:, channel], (alone + D[channel] * arguments["u"][:, channel]) * gate
        )
    assert last.shape == (2, 6, 4)


def per_channel(coefficient: Tensor, channel: int) -> Tensor:
    """(batch, length, states) as one channel sees it."""
    if coefficient.dim() == 2:
        return coefficient[channel].expand(2, 37, 4)
    if coefficient.dim() == 4:
        return coefficient[:, channel // 2].mT
    return coefficient.mT


def test_wrong_arguments_are_named():
    arguments = full_arguments()
    with pytest.raises(UsageError, match=r"delta should have the shape \(2, 6, 37\)"):
        selective_scan(**{**arguments, "delta": arguments["delta"][:, :, 1:]})
    with pytest.raises(UsageError, match="A should be float32, .* not complex64"):
        selective_scan(**{**arguments, "A": arguments["A"].to(torch.complex64)})
    with pytest.raises(UsageError, match=r"C should have the shape \(2, 4, 37\)"):
        selective_scan(**{**arguments, "C": arguments["C"].mT})
    with pytest.raises(UsageError, match=r"backend is called 'fast'.*auto, .*reference"):
        selective_scan(**arguments, backend="fast")
