"""The reference is the recurrence as it is written, whatever is given beside x."""

from itertools import combinations, product
from math import exp, log1p

import pytest
import torch
from torch import Tensor

from tests.scan.drawing import OPTIONS, draw
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.reference import reference_scan

SETS = [chosen for size in range(5) for chosen in combinations(OPTIONS, size)]


def by_hand(arguments: Arguments) -> tuple[Tensor, Tensor]:
    """The recurrence as loops over numbers."""
    x, delta, A, B, C, D, z, bias, softplus, discretisation = arguments
    y, last = torch.zeros_like(x), x.new_zeros(x.shape[0], *A.shape)
    for b, d in product(range(x.shape[0]), range(x.shape[2])):
        for t in range(x.shape[1]):
            step = delta[b, t, d].item() + (0 if bias is None else bias[d].item())
            step = log1p(exp(step)) if softplus else step
            out = 0 if D is None else D[d].item() * x[b, t, d].item()
            for n in range(A.shape[1]):
                product_ = step * A[d, n].item()
                decay = exp(product_) if discretisation == "zoh" else 1 + product_
                B_t, C_t = (k[d, n] if k.dim() == 2 else k[b, t, n] for k in (B, C))
                last[b, d, n] = decay * last[b, d, n] + step * x[b, t, d] * B_t
                out += (C_t * last[b, d, n]).item()
            gate = 1 if z is None else z[b, t, d].item() / (1 + exp(-z[b, t, d].item()))
            y[b, t, d] = out * gate
    return y, last


@pytest.mark.parametrize("discretisation", ["zoh", "euler"])
@pytest.mark.parametrize("options", SETS, ids=lambda chosen: "+".join(chosen) or "bare")
def test_the_reference_is_the_recurrence_by_hand(options, discretisation):
    arguments = draw(
        2, 4, 2, 3, options=options, discretisation=discretisation, dtype=torch.float64
    )
    for found, expected in zip(reference_scan(arguments), by_hand(arguments), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("constant", ["B", "C", "BC"])
def test_coefficients_may_be_constant_in_time(constant):
    arguments = draw(2, 4, 2, 3, dtype=torch.float64)
    fixed = {name: torch.randn(2, 3, dtype=torch.float64) for name in constant}
    arguments = arguments._replace(**fixed)
    for found, expected in zip(reference_scan(arguments), by_hand(arguments), strict=True):
        torch.testing.assert_close(found, expected)


def test_the_reference_has_second_derivatives():
    tensors = [t.requires_grad_() for t in draw(1, 4, 2, 2, dtype=torch.float64).tensors]
    assert torch.autograd.gradgradcheck(
        lambda *given: reference_scan(Arguments(*given, True))[0], tensors
    )
