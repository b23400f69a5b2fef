"""The native norm and pool: every vector width against double precision, threads, ties."""

import pytest
import torch
from torch import Tensor, nn

from tests.native.norms import draw, in_double, outcome, then_pooled, worst
from tinyseg import native
from tinyseg.layers.group_norm import GroupNorm
from tinyseg.layers.norm_pool import norm_max_pool

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))

# batch, channels, height, width, groups
SHAPES = {
    "channels fill half a vector": (2, 8, 6, 10, 4),
    "an odd height": (2, 8, 7, 10, 4),
    "an odd width": (2, 8, 6, 9, 4),
    "odd sides": (3, 12, 5, 3, 4),
    "channels and vectors share no factor": (3, 7, 9, 11, 7),
    "channels fill a quarter of a vector": (2, 4, 6, 6, 4),
    "channels fill a vector": (1, 16, 4, 6, 4),
    "a vector and a half": (2, 24, 8, 4, 4),
    "two vectors": (2, 32, 4, 4, 4),
    "three vectors": (1, 48, 4, 6, 4),
    "four vectors": (2, 64, 2, 2, 4),
    "one channel": (2, 1, 3, 3, 1),
    "one window": (2, 48, 2, 2, 4),
    "one group": (2, 12, 6, 6, 1),
    "several blocks": (1, 8, 4, 300, 4),
    "one picture in parts": (1, 8, 129, 131, 4),
    "a last part without windows": (1, 64, 9, 228, 4),
}


class Pooled(nn.Module):
    def __init__(self, groups: int, channels: int, affine: bool) -> None:
        super().__init__()
        self.norm = GroupNorm(groups, channels, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        return norm_max_pool(x, self.norm)


def by_kernel(x: Tensor, groups: int, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    layer = Pooled(groups, x.shape[1], affine=weight is not None)
    parameters = {} if weight is None else {"norm.weight": weight, "norm.bias": bias}
    y = torch.func.functional_call(layer, parameters, (x,))
    assert "_GroupNorm" in y.grad_fn.name()
    return y


def drawn(batch, channels, height, width, mean=0.0) -> list[Tensor]:
    """x, weight, bias and the gradient of what is pooled."""
    *others, grad_y = draw(batch, channels, height, width, mean)
    grad_y = grad_y[..., : height // 2, : width // 2]
    return [*others, grad_y.contiguous(memory_format=torch.channels_last)]


@pytest.mark.parametrize("affine", [True, False], ids=["affine", "plain"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_it_agrees_with_double_precision(width, shape, affine):
    *sizes, groups = shape
    x, weight, bias, grad_y = drawn(*sizes)
    if not affine:
        weight = bias = None
    found = outcome(by_kernel, x, weight, bias, grad_y, groups)
    assert max(worst(found, in_double(then_pooled, x, weight, bias, grad_y, groups))) < 2e-6


@pytest.mark.parametrize("mean", [1e3, 1e5])
def test_a_large_mean_costs_no_digits(width, mean):
    given = drawn(2, 8, 64, 64, mean=mean)
    exact = in_double(then_pooled, *given, 4)
    assert max(worst(outcome(by_kernel, *given, 4), exact)) < 2e-6


def test_long_rows_are_summed_as_well_as_short_ones(width):
    x, weight, bias, grad_y = drawn(1, 8, 2, 40_000)
    given = (x, weight, bias, grad_y + 1)
    assert max(worst(outcome(by_kernel, *given, 4), in_double(then_pooled, *given, 4))) < 1e-6


def test_of_equal_pixels_the_first_has_the_gradient(width):
    x, weight, bias, grad_y = drawn(2, 12, 9, 9)
    weight[5] = 0  # which makes all pixels of a channel equal
    given = (x.round(), weight, bias, grad_y)
    assert max(worst(outcome(by_kernel, *given, 4), in_double(then_pooled, *given, 4))) < 2e-6


@pytest.mark.parametrize("batch", [1, 2, 9])
def test_any_number_of_threads_gives_the_same_bits(threads, batch):
    given = drawn(batch, 8, 195, 97)
    torch.set_num_threads(1)
    alone = outcome(by_kernel, *given, 4)
    for count in (2, 5):
        torch.set_num_threads(count)
        assert all(map(torch.equal, outcome(by_kernel, *given, 4), alone))


@pytest.mark.parametrize("what", [float("nan"), float("inf")])
def test_what_is_no_number_stays_in_its_group(width, what):
    x, weight, bias, grad_y = drawn(2, 8, 9, 9)
    x[1, 5, 3, 3] = what
    y, grad_x, _, grad_bias = outcome(by_kernel, x, weight, bias, grad_y, 4)
    for tensor in (y, grad_x):
        assert tensor[1, 4:6].isnan().all()
        tensor[1, 4:6] = 0
        assert tensor.isfinite().all()
    torch.testing.assert_close(grad_bias, grad_y.sum((0, 2, 3)))
