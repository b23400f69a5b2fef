"""The native causal convolution: every vector width against double precision, strides, threads."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.native.convolutions import by_hand, draw, outcome
from tinyseg import native
from tinyseg.layers.causal_conv import causal_conv_silu

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))

# batch, length, channels, taps
SHAPES = {
    "12 channels": (3, 37, 12, 4),
    "one number": (1, 1, 1, 4),
    "one tap": (1, 33, 17, 1),
    "shorter than the kernel": (2, 3, 20, 8),
    "a kernel longer than a block": (2, 70, 5, 40),
    "a whole block": (1, 32, 16, 4),
    "wide, in groups of channels": (1, 40, 300, 4),
    "long": (1, 4099, 16, 4),
}


def by_kernel(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    y = causal_conv_silu(x, weight, bias)
    assert "_CausalConv" in y.grad_fn.name()
    return y


def assert_close_to_double(x, weight, bias, grad_y) -> None:
    found = outcome(by_kernel, x, weight, bias, grad_y)
    given = (None if t is None else t.double() for t in (x, weight, bias, grad_y))
    for a, b in zip(found, outcome(by_hand, *given), strict=True):
        assert (a - b).abs().max() < 2e-6 * b.abs().max()


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_it_agrees_with_double_precision(width, shape):
    assert_close_to_double(*draw(*shape))


def test_a_bias_may_be_missing(width):
    x, weight, _, grad_y = draw(2, 21, 12, 4)
    assert_close_to_double(x, weight, None, grad_y)


STRIDES = {
    "columns of a wider tensor": lambda t: torch.cat([t, t], 2)[..., : t.shape[2]],
    "every second row": lambda t: t.repeat_interleave(2, 1)[:, ::2],
    "length before batch": lambda t: t.transpose(0, 1).contiguous().transpose(0, 1),
    "channels not innermost": lambda t: t.transpose(1, 2).contiguous().transpose(1, 2),
    "one row for all": lambda t: t[:1, :1].expand_as(t),
}


@pytest.mark.parametrize("lay_out", STRIDES.values(), ids=STRIDES)
def test_strides_are_honoured(width, lay_out):
    x, weight, bias, grad_y = draw(3, 37, 12, 4)
    assert_close_to_double(lay_out(x), weight, bias, grad_y)
    assert_close_to_double(x, weight, bias, lay_out(grad_y))


@pytest.mark.parametrize("shape", [(9, 50, 12, 4), (1, 50, 300, 4)])
def test_any_number_of_threads_gives_the_same_bits(threads, shape):
    given = draw(*shape)
    torch.set_num_threads(1)
    alone = outcome(by_kernel, *given)
    for count in (2, 5):
        torch.set_num_threads(count)
        assert all(map(torch.equal, outcome(by_kernel, *given), alone))


def test_what_is_no_number_reaches_its_channel_from_its_step_on(width):
    x, weight, bias, grad_y = draw(2, 37, 20, 4)
    x[1, 9, 5] = float("nan")
    y, grad_x, grad_weight, _ = outcome(by_kernel, x, weight, bias, grad_y)
    assert y[1, 9:13, 5].isnan().all()
    assert y.isnan().sum() == 4
    assert grad_x[1, 6:13, 5].isnan().all()  # those whose outputs take part in it
    assert grad_x.isnan().sum() == 7
    assert grad_weight[5].isnan().all()
    assert grad_weight.isnan().sum() == 4


def test_large_arguments_neither_overflow_nor_vanish(width):
    x = torch.tensor([-1e4, -100.0, -88.0, 0.0, 88.0, 100.0, 1e4]).view(1, -1, 1)
    weight, grad_y = torch.ones(1, 1, 1), torch.ones_like(x)
    y, grad_x, _ = outcome(by_kernel, x, weight, None, grad_y)
    torch.testing.assert_close(y, F.silu(x), rtol=1e-6, atol=1e-30)
    expected = torch.tensor([0.0, 0, 0, 0.5, 1, 1, 1]).view_as(x)
    torch.testing.assert_close(grad_x, expected, rtol=0, atol=1e-6)
