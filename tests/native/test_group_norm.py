"""The native group norm: every vector width against double precision, threads, what it reads."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.native.norms import draw, in_double, in_two_passes, outcome, worst
from tinyseg import native
from tinyseg.layers.group_norm import GroupNorm

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))

# batch, channels, height, width, groups
SHAPES = {
    "channels fill half a vector": (2, 8, 5, 7, 4),
    "channels and vectors share no factor": (3, 7, 9, 11, 7),
    "a period of three vectors": (2, 24, 16, 9, 4),
    "five vectors": (1, 80, 3, 5, 4),
    "one channel": (2, 1, 3, 3, 1),
    "one pixel": (2, 48, 1, 1, 4),
    "one group": (2, 12, 6, 6, 1),
    "more channels than a block": (1, 4099, 1, 2, 1),
    "several blocks": (2, 8, 40, 45, 4),
    "one picture in parts": (1, 8, 128, 129, 4),
}


def by_kernel(x: Tensor, groups: int, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    layer = GroupNorm(groups, x.shape[1], affine=weight is not None)
    parameters = {} if weight is None else {"weight": weight, "bias": bias}
    y = torch.func.functional_call(layer, parameters, (x,))
    assert "_GroupNorm" in y.grad_fn.name()
    return y


@pytest.mark.parametrize("affine", [True, False], ids=["affine", "plain"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_it_agrees_with_double_precision(width, shape, affine):
    *sizes, groups = shape
    x, weight, bias, grad_y = draw(*sizes)
    if not affine:
        weight = bias = None
    found = outcome(by_kernel, x, weight, bias, grad_y, groups)
    assert max(worst(found, in_double(in_two_passes, x, weight, bias, grad_y, groups))) < 2e-6


@pytest.mark.parametrize("mean", [1e3, 1e5])
def test_a_large_mean_costs_no_digits(width, mean):
    given = draw(2, 8, 64, 64, mean=mean)
    exact = in_double(in_two_passes, *given, 4)
    assert max(worst(outcome(by_kernel, *given, 4), exact)) < 2e-6


def test_large_pictures_are_summed_no_worse_than_by_pytorch(width):
    x, *rest = draw(1, 8, 256, 256, mean=3.0)
    exact = in_double(in_two_passes, x, *rest, 4)
    pytorchs = worst(outcome(F.group_norm, x.contiguous(), *rest, 4), exact)
    ours = worst(outcome(by_kernel, x, *rest, 4), exact)
    assert all(a <= b + 2e-7 for a, b in zip(ours, pytorchs, strict=True))


@pytest.mark.parametrize("batch", [1, 2, 9])
def test_any_number_of_threads_gives_the_same_bits(threads, batch):
    given = draw(batch, 8, 96, 90)
    torch.set_num_threads(1)
    alone = outcome(by_kernel, *given, 4)
    for count in (2, 5):
        torch.set_num_threads(count)
        assert all(map(torch.equal, outcome(by_kernel, *given, 4), alone))


@pytest.mark.parametrize("what", [float("nan"), float("inf")])
def test_what_is_no_number_stays_in_its_group(width, what):
    x, weight, bias, grad_y = draw(2, 8, 9, 9)
    x[1, 5, 3, 3] = what
    y, grad_x, *_ = outcome(by_kernel, x, weight, bias, grad_y, 4)
    for tensor in (y, grad_x):
        assert tensor[1, 4:6].isnan().all()
        tensor[1, 4:6] = 0
        assert tensor.isfinite().all()


def test_a_constant_picture_becomes_the_bias(width):
    x, weight, bias, grad_y = draw(1, 8, 9, 9)
    y = outcome(by_kernel, torch.full_like(x, 0.1), weight, bias, grad_y, 4)[0]
    torch.testing.assert_close(y, bias.view(-1, 1, 1).expand_as(y), rtol=0, atol=1e-5)


def test_nothing_outside_of_tensors_is_read_or_written():
    if sys.platform != "linux":
        pytest.skip("forbids pages as Linux does")
    command = [sys.executable, "-m", "tests.native.at_forbidden_pages"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "all done\n"), done.stderr
