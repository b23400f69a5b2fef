"""The causal convolution with SiLU: who computes it, and that nobody need know."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinyseg import native
from tinyseg.layers import causal_conv
from tinyseg.layers.causal_conv import causal_conv_silu
from tinyseg.scan.exporting import scan_form

needs_kernels = pytest.mark.skipif(
    native.unavailable() is not None, reason=str(native.unavailable())
)


def draw(batch=2, length=19, channels=12, taps=4) -> tuple[Tensor, Tensor, Tensor]:
    """x and a Conv1d's weight and bias, which want gradients."""
    torch.manual_seed(0)
    convolution = nn.Conv1d(channels, channels, taps, groups=channels)
    x = torch.randn(batch, length, channels, requires_grad=True)
    return x, convolution.weight, convolution.bias


def by_conv1d(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """As mamba-ssm does without kernels."""
    channels, _, taps = weight.shape
    y = F.conv1d(x.transpose(1, 2), weight, bias, padding=taps - 1, groups=channels)
    return F.silu(y[..., : x.shape[1]].transpose(1, 2))


def is_native(y: Tensor) -> bool:
    assert y.grad_fn is not None
    return "_CausalConv" in y.grad_fn.name()


@needs_kernels
def test_the_kernel_computes_what_a_padded_conv1d_does():
    given = draw()
    y = causal_conv_silu(*given)
    assert is_native(y)
    torch.testing.assert_close(y, by_conv1d(*given), rtol=0, atol=1e-6)
    with torch.no_grad():
        assert torch.equal(causal_conv_silu(*given), y)


def test_no_step_sees_a_later_one():
    x, weight, bias = draw()
    changed = x.detach().clone()
    changed[:, 7:] += 1
    before, after = causal_conv_silu(x, weight, bias), causal_conv_silu(changed, weight, bias)
    assert torch.equal(before[:, :7], after[:, :7])
    assert (before[:, 7] != after[:, 7]).any()


OTHERS = {
    "double precision": lambda x, *parameters: (x.double(), *(p.double() for p in parameters)),
    "half precision": lambda x, *parameters: (x.bfloat16(), *(p.bfloat16() for p in parameters)),
    "an empty batch": lambda x, *parameters: (x[:0], *parameters),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_all_else_is_left_to_pytorch(other):
    given = other(*draw())
    y = causal_conv_silu(*given)
    assert not is_native(y)
    assert torch.equal(y, by_conv1d(*given))
    y.sum().backward()


def test_without_kernels_it_is_left_to_pytorch(monkeypatch):
    monkeypatch.setattr(native, "library", lambda: None)
    assert not is_native(causal_conv_silu(*draw()))


@needs_kernels
def test_autocast_chooses_the_type_as_without_kernels():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = causal_conv_silu(*draw())
        assert (y.dtype, is_native(y)) == (by_conv1d(*draw()).dtype, False)


@needs_kernels
def test_a_bias_of_another_width_is_refused():
    x, weight, bias = draw()
    with pytest.raises(RuntimeError):
        causal_conv_silu(x, weight, bias[:5])


@needs_kernels
@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_frozen_inputs_get_no_gradient(frozen):
    given = [t.detach().requires_grad_(i != frozen) for i, t in enumerate(draw())]
    causal_conv_silu(*given).sum().backward()
    assert [t.grad is None for t in given] == [i == frozen for i in range(3)]


@needs_kernels
def test_a_second_derivative_is_refused():
    x, weight, bias = draw()
    y = causal_conv_silu(x, weight, bias).square().sum()
    (grad,) = torch.autograd.grad(y, x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


@needs_kernels
@pytest.mark.parametrize("form", ["operator", "hop2", "g8"])
def test_whoever_takes_scans_in_another_form_sees_the_conv1d(form):
    with scan_form(form):
        assert not is_native(causal_conv_silu(*draw()))


class Layer(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function
        self.conv1d = nn.Conv1d(12, 12, 4, groups=12)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, self.conv1d.weight, self.conv1d.bias)


def test_exported_programs_are_those_of_the_conv1d():
    graphs = [
        torch.export.export(Layer(function), (draw()[0].detach(),)).graph
        for function in (causal_conv_silu, by_conv1d)
    ]
    assert str(graphs[0]) == str(graphs[1])


def test_traced_networks_are_those_of_the_conv1d():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is deprecated, and yet used by converters
        traced = torch.jit.trace(Layer(causal_conv_silu), draw()[0].detach())
    assert "aten::_convolution" in str(traced.inlined_graph)


def test_a_compiled_network_is_in_one_piece():
    layer = Layer(causal_conv_silu)
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(draw()[0]), layer(draw()[0]), rtol=0, atol=1e-6)


class OnCuda(Tensor):
    """Says that it is on a CUDA device, where there is none."""

    is_cuda = True


@pytest.mark.parametrize("taps", [1, 4, 5])
def test_on_cuda_the_kernel_of_causal_conv1d_takes_2_to_4_taps(monkeypatch, taps):
    seen = []
    monkeypatch.setattr(causal_conv, "causal_conv1d_silu", lambda *given: seen.append(given))
    monkeypatch.setattr(causal_conv, "_causal_conv1d_unavailable", lambda: None)
    x, weight, bias = draw(taps=taps)
    causal_conv_silu(x.detach().as_subclass(OnCuda), weight, bias)
    assert [given[1].shape for given in seen] == ([(12, 4)] if taps == 4 else [])


def test_on_cuda_without_causal_conv1d_it_is_left_to_pytorch(monkeypatch):
    monkeypatch.setattr(causal_conv, "_causal_conv1d_unavailable", lambda: "not installed")
    x, weight, bias = draw()
    y = causal_conv_silu(x.detach().as_subclass(OnCuda), weight, bias)
    assert torch.equal(y.as_subclass(Tensor), by_conv1d(x, weight, bias))
