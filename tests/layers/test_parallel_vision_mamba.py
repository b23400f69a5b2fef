"""Parallel vision Mamba: the original's values, branches folded or not, memory without copies."""

from functools import partial

import pytest
import torch
from torch import Tensor

from tests.layers.figures import figures
from tests.networks.check_values import fill, wave
from tinyseg.errors import UsageError
from tinyseg.layers import ParallelVisionMamba
from tinyseg.scan import BACKENDS, scan_sequence
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.backend import Backend


def unfolded(layer: ParallelVisionMamba, x: Tensor) -> Tensor:
    """The layer with a call of Mamba a branch, as its paper draws it."""
    tokens = layer.norm(x.flatten(2).mT)
    parts = [
        layer.mamba(part) + layer.skip_scale * part for part in tokens.chunk(layer.branches, dim=2)
    ]
    return layer.proj(layer.norm(torch.cat(parts, 2))).mT.unflatten(2, x.shape[2:])


def with_gradients(function, layer: ParallelVisionMamba, x: Tensor) -> list[Tensor]:
    """The output and all gradients of a weighted sum of it, the input's first."""
    x = x.detach().requires_grad_()
    y = function(x)
    weight = torch.cos(torch.arange(y.numel(), dtype=y.dtype)).reshape(y.shape)
    return [y.detach(), *torch.autograd.grad((y * weight).sum(), [x, *layer.parameters()])]


def cannot_compute_here(backend: Backend) -> str | None:
    """Why a backend does not take a small layer's float32 scan on a CPU."""
    x, coefficient = torch.zeros(1, 4, 12), torch.zeros(1, 4, 16)
    arguments = Arguments(x, x, torch.zeros(12, 16), coefficient, coefficient)
    return backend.unavailable() or backend.refuses(arguments)


def test_values_equal_the_original_code():
    with torch.no_grad():
        y = fill(ParallelVisionMamba(24, 32))(wave(1, 24, 8, 8))
    expected = (-0.0050285557, 0.4637111149, 0.6460088462, 0.3057869838)
    assert figures(y) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("branches", [1, 4, 8])
def test_folding_the_branches_changes_nothing(branches):
    layer, x = fill(ParallelVisionMamba(24, 32, branches)), wave(3, 24, 8, 8)
    folded = with_gradients(layer, layer, x)
    for a, b in zip(folded, with_gradients(partial(unfolded, layer), layer, x), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_gives_the_same_folded_and_unfolded(monkeypatch, backend, batch):
    if reason := cannot_compute_here(BACKENDS[backend]):
        pytest.skip(reason)
    chosen = partial(scan_sequence, backend=backend)
    monkeypatch.setattr("tinyseg.layers.mamba.scan_sequence", chosen)
    torch.manual_seed(0)
    layer, x = ParallelVisionMamba(24, 32), torch.randn(batch, 24, 5, 8)
    y, *gradients = with_gradients(layer, layer, x)
    expected, *others = with_gradients(partial(unfolded, layer), layer, x)
    assert (y - expected).abs().max() <= 1e-6 * expected.abs().max()
    for a, b in zip(gradients, others, strict=True):
        # Sums over pixels that nearly cancel, such as skip_scale's, are the least exact.
        assert (a - b).abs().max() <= 2e-5 * b.abs().max()


@pytest.mark.parametrize("training", [False, True])
def test_the_layout_in_memory_changes_no_value(training):
    layer = fill(ParallelVisionMamba(24, 32)).train(training)
    x = wave(2, 24, 4, 8)
    usual = with_gradients(layer, layer, x)
    last = with_gradients(layer, layer, x.contiguous(memory_format=torch.channels_last))
    for a, b in zip(last, usual, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-13)


def test_channels_last_goes_in_and_comes_out_without_a_copy(monkeypatch):
    layer = ParallelVisionMamba(24, 32)
    seen: list[Tensor] = []
    layer.norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    layer.proj.register_forward_hook(lambda _, inputs, output: seen.append(output))
    x = torch.randn(2, 24, 4, 8).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        y = layer(x)
    tokens, _, projected = seen
    assert tokens.is_contiguous()
    assert tokens.data_ptr() == x.data_ptr()
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert y.data_ptr() == projected.data_ptr()


def test_joining_the_branches_copies_nothing():
    layer = ParallelVisionMamba(24, 32)
    joined: list[Tensor] = []
    layer.norm.register_forward_pre_hook(lambda _, inputs: joined.append(inputs[0]))
    with torch.no_grad():
        layer(torch.randn(3, 24, 4, 8))
    assert joined[1].is_contiguous()
    assert joined[1]._base is not None, "a view of the sum over branches"


def test_branches_must_divide_the_channels():
    with pytest.raises(UsageError, match="10 channels cannot be shared by 4 branches"):
        ParallelVisionMamba(10, 8)
    with pytest.raises(UsageError, match="8 channels cannot be shared by 0 branches"):
        ParallelVisionMamba(8, 8, branches=0)
