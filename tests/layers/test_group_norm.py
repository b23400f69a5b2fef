"""Group norm: when it takes its own kernel, and that nobody need know."""

import warnings

import pytest
import torch
from torch import Tensor, nn

from tinyseg import native
from tinyseg.layers.group_norm import GroupNorm
from tinyseg.scan.exporting import scan_form

needs_kernels = pytest.mark.skipif(
    native.unavailable() is not None, reason=str(native.unavailable())
)


def picture(*shape: int) -> Tensor:
    x = torch.randn(*(shape or (2, 8, 6, 5)), generator=torch.Generator().manual_seed(0))
    return x.contiguous(memory_format=torch.channels_last)


def is_own(y: Tensor) -> bool:
    assert y.grad_fn is not None
    return "_GroupNorm" in y.grad_fn.name()


def layers(channels: int = 8) -> tuple[GroupNorm, nn.GroupNorm]:
    """Ours and PyTorch's, of the same random state."""
    ours, pytorchs = GroupNorm(4, channels), nn.GroupNorm(4, channels)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.normal_()
    pytorchs.load_state_dict(ours.state_dict())
    return ours, pytorchs


def test_states_are_those_of_pytorch():
    ours, pytorchs = layers()
    assert list(ours.state_dict()) == list(pytorchs.state_dict())
    assert repr(ours) == repr(pytorchs)


@needs_kernels
def test_channels_innermost_are_computed_by_the_kernel_and_stay_innermost():
    ours, pytorchs = layers()
    y = ours(picture())
    assert is_own(y)
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y, pytorchs(picture()), rtol=0, atol=2e-6)
    with torch.no_grad():
        assert torch.equal(ours(picture()), y)


OTHERS = {
    "channels first": lambda: picture().contiguous(),
    "a part of the channels": lambda: picture(2, 16, 6, 5)[:, :8],
    "every second row": lambda: picture()[:, :, ::2],
    "double precision": lambda: picture().double(),
    "a sequence": lambda: picture().flatten(2),
    "a volume": lambda: torch.randn(2, 8, 3, 4, 5).contiguous(memory_format=torch.channels_last_3d),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_all_else_is_left_to_pytorch(other):
    ours, pytorchs = layers()
    x = other()
    y = ours.to(x.dtype)(x)
    assert not is_own(y)
    assert torch.equal(y, pytorchs.to(x.dtype)(x))


def test_without_kernels_it_is_left_to_pytorch(monkeypatch):
    monkeypatch.setattr(native, "library", lambda: None)
    assert not is_own(layers()[0](picture()))


@needs_kernels
def test_batches_of_no_pictures_pass_through():
    y = layers()[0](picture()[:0])
    y.sum().backward()
    assert y.shape == (0, 8, 6, 5)


@needs_kernels
@pytest.mark.parametrize("shape", [(1, 4, 1, 1), (2, 9, 3, 3)], ids=["one value", "channels"])
def test_what_pytorch_refuses_is_refused(shape):
    ours, pytorchs = layers(4)
    for layer in (pytorchs, ours):
        with pytest.raises((ValueError, RuntimeError)):
            layer(picture(*shape))


@needs_kernels
@pytest.mark.parametrize("lay_out", [Tensor.contiguous, lambda g: g[:1, :, :1, :1].expand_as(g)])
def test_gradients_may_come_in_any_layout(lay_out):
    ours, pytorchs = layers()
    grad_y, found = lay_out(picture()), []
    for layer in (ours, pytorchs):
        x = picture().requires_grad_()
        found.append(torch.autograd.grad(layer(x), (x, *layer.parameters()), grad_y))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@needs_kernels
def test_only_wanted_gradients_are_computed():
    ours = layers()[0]
    y = ours(picture())
    y.sum().backward()
    assert ours.weight.grad is not None
    ours.requires_grad_(False)
    x = picture().requires_grad_()
    ours(x).square().sum().backward()
    assert x.grad is not None
    assert ours(picture()).grad_fn is None


@needs_kernels
def test_a_weight_alone_is_enough():
    ours = layers()[0]
    ours.bias = None
    x = picture().requires_grad_()
    y = ours(x)
    assert is_own(y)
    exact = torch.nn.functional.group_norm(x, 4, ours.weight)
    torch.testing.assert_close(y, exact, rtol=0, atol=2e-6)
    y.sum().backward()


@needs_kernels
def test_a_second_derivative_is_refused():
    x = picture().requires_grad_()
    (grad,) = torch.autograd.grad(layers()[0](x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


@needs_kernels
def test_autocast_leaves_single_precision_alone():
    ours = layers()[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = ours(picture())
        assert is_own(y)
        assert ours(picture().bfloat16()).dtype == nn.GroupNorm(4, 8)(picture().bfloat16()).dtype
    assert torch.equal(y, ours(picture()))


@needs_kernels
@pytest.mark.parametrize("form", ["operator", "hop2", "g8"])
def test_whoever_takes_scans_in_another_form_sees_pytorchs_operator(form):
    with scan_form(form):
        assert not is_own(layers()[0](picture()))


def test_an_exported_program_holds_pytorchs_operator():
    program = torch.export.export(layers()[0].eval(), (picture(),))
    assert torch.ops.aten.group_norm.default in [node.target for node in program.graph.nodes]


def test_a_traced_network_holds_pytorchs_operator():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is deprecated, and yet used by converters
        traced = torch.jit.trace(layers()[0], picture())
    assert "aten::group_norm" in str(traced.inlined_graph)


def test_a_compiled_network_is_in_one_piece():
    ours, pytorchs = layers()
    compiled = torch.compile(ours, backend="eager", fullgraph=True)
    assert torch.equal(compiled(picture()), pytorchs(picture()))
