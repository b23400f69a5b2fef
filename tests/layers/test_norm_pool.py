"""Group norm and max-pool in one: when a kernel computes them, and that nobody need know."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.layers.test_group_norm import is_own, layers, needs_kernels, picture
from tinyseg import native
from tinyseg.layers.group_norm import GroupNorm
from tinyseg.layers.norm_pool import norm_max_pool
from tinyseg.networks import build
from tinyseg.scan.exporting import scan_form


class Pooled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = layers()[0]

    def forward(self, x: Tensor) -> Tensor:
        return norm_max_pool(x, self.norm)


def in_turn(x: Tensor, norm: nn.GroupNorm) -> Tensor:
    return F.max_pool2d(norm(x), 2)


@needs_kernels
@pytest.mark.parametrize("shape", [(2, 8, 6, 5), (1, 8, 9, 2), (2, 8, 2, 2)])
def test_a_kernel_computes_both_and_channels_stay_innermost(shape):
    ours, pytorchs = layers()
    x = picture(*shape)
    y = norm_max_pool(x, ours)
    assert is_own(y)
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y, in_turn(x, pytorchs), rtol=0, atol=2e-6)
    with torch.no_grad():
        assert torch.equal(norm_max_pool(x, ours), y)


OTHERS = {
    "channels first": lambda: picture().contiguous(),
    "a part of the channels": lambda: picture(2, 16, 6, 5)[:, :8],
    "every second row": lambda: picture()[:, :, ::2],
    "double precision": lambda: picture().double(),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_all_else_is_left_to_pytorch(other):
    ours, pytorchs = layers()
    x = other()
    y = norm_max_pool(x, ours.to(x.dtype))
    assert not is_own(y)
    assert torch.equal(y, in_turn(x, pytorchs.to(x.dtype)))


class Doubled(GroupNorm):
    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


@pytest.mark.parametrize("make", [nn.GroupNorm, Doubled])
def test_other_norms_are_called(make):
    norm = make(4, 8)
    y = norm_max_pool(picture(), norm)
    assert not is_own(y)
    assert torch.equal(y, in_turn(picture(), norm))


def test_without_kernels_it_is_left_to_pytorch(monkeypatch):
    monkeypatch.setattr(native, "library", lambda: None)
    assert not is_own(norm_max_pool(picture(), layers()[0]))


@needs_kernels
def test_batches_of_no_pictures_pass_through():
    y = norm_max_pool(picture()[:0], layers()[0])
    y.sum().backward()
    assert y.shape == (0, 8, 3, 2)


@needs_kernels
@pytest.mark.parametrize("shape", [(2, 8, 1, 6), (2, 8, 6, 1), (2, 9, 4, 4)])
def test_what_pytorch_refuses_is_refused(shape):
    ours, pytorchs = layers()
    for function in (norm_max_pool, in_turn):
        for layer in (ours, pytorchs):
            with pytest.raises((ValueError, RuntimeError)):
                function(picture(*shape), layer)


@needs_kernels
@pytest.mark.parametrize("lay_out", [Tensor.contiguous, lambda g: g[:1, :, :1, :1].expand_as(g)])
def test_gradients_may_come_in_any_layout(lay_out):
    ours, pytorchs = layers()
    grad_y, found = lay_out(picture(2, 8, 3, 2)), []
    for function, layer in ((norm_max_pool, ours), (in_turn, pytorchs)):
        x = picture().requires_grad_()
        y = function(x, layer)
        found.append(torch.autograd.grad(y, (x, *layer.parameters()), grad_y))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@needs_kernels
def test_only_wanted_gradients_are_computed():
    ours = layers()[0]
    norm_max_pool(picture(), ours).sum().backward()
    assert ours.weight.grad is not None
    ours.requires_grad_(False)
    x = picture().requires_grad_()
    norm_max_pool(x, ours).square().sum().backward()
    assert x.grad is not None
    assert norm_max_pool(picture(), ours).grad_fn is None


@needs_kernels
def test_a_weight_alone_is_enough():
    ours = layers()[0]
    ours.bias = None
    x = picture().requires_grad_()
    y = norm_max_pool(x, ours)
    assert is_own(y)
    exact = F.max_pool2d(F.group_norm(x, 4, ours.weight), 2)
    torch.testing.assert_close(y, exact, rtol=0, atol=2e-6)
    y.sum().backward()


@needs_kernels
def test_a_second_derivative_is_refused():
    x = picture().requires_grad_()
    y = norm_max_pool(x, layers()[0])
    (grad,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


@needs_kernels
def test_autocast_leaves_single_precision_alone():
    ours, half = layers()[0], picture().bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = norm_max_pool(picture(), ours)
        assert is_own(y)
        assert y.dtype == in_turn(picture(), nn.GroupNorm(4, 8)).dtype
        assert norm_max_pool(half, ours).dtype == in_turn(half, nn.GroupNorm(4, 8)).dtype
    assert torch.equal(y, norm_max_pool(picture(), ours))


@needs_kernels
@pytest.mark.parametrize("form", ["operator", "hop2", "g8"])
def test_whoever_takes_scans_in_another_form_sees_pytorchs_operators(form):
    with scan_form(form):
        assert not is_own(norm_max_pool(picture(), layers()[0]))


def test_an_exported_program_holds_pytorchs_operators():
    program = torch.export.export(Pooled().eval(), (picture(),))
    found = {node.target for node in program.graph.nodes}
    assert {torch.ops.aten.group_norm.default, torch.ops.aten.max_pool2d.default} <= found


def test_a_traced_network_holds_pytorchs_operators():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is deprecated, and yet used by converters
        graph = str(torch.jit.trace(Pooled(), picture()).inlined_graph)
    assert "aten::group_norm" in graph
    assert "aten::max_pool2d" in graph


def test_a_compiled_network_is_in_one_piece():
    ours, pytorchs = layers()
    compiled = torch.compile(norm_max_pool, backend="eager", fullgraph=True)
    assert torch.equal(compiled(picture(), ours), in_turn(picture(), pytorchs))


@needs_kernels
def test_ul_vm_unet_pools_nothing_that_a_kernel_could(monkeypatch):
    network = build("ul-vm-unet")
    x = picture(1, 3, 64, 64)
    monkeypatch.setattr(F, "max_pool2d", None)
    network(x).sum().backward()
