"""With parameters constant in time the scan is a convolution; HiPPO's state holds the past."""

import doctest
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.polynomial.legendre import Legendre
from torch import Tensor

from tinyseg.errors import UsageError
from tinyseg.scan import selective_scan
from tinyseg.scan.s4 import (
    convolve,
    discretise,
    hippo_legs,
    kernel,
    reconstruct,
    recurrence,
    s4d_real,
)

METHODS = ["zoh", "mamba", "bilinear", "euler"]


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(a: Tensor, b: Tensor, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("discretisation", "method"), [("zoh", "mamba"), ("euler", "euler")])
def test_convolution_equals_the_selective_scan(discretisation, method):
    channels, states, length = 5, 8, 70
    A, B, C = -draw(channels, states).exp(), draw(channels, states), draw(channels, states, seed=1)
    u, delta = draw(2, channels, length), 0.02 * draw(channels, seed=2).exp()
    everywhere = delta[:, None].expand(2, channels, length)
    scanned = selective_scan(
        u, everywhere, A, B, C, backend="reference", discretisation=discretisation
    )
    K = kernel(*discretise(torch.diag_embed(A), B, delta, method), C, length)
    close(convolve(u, K), scanned)


@pytest.mark.parametrize("method", METHODS)
def test_convolution_equals_recurrence_for_full_matrices(method):
    A, B = hippo_legs(6)
    C, x = draw(6), draw(50)
    Abar, Bbar = discretise(A, B, 0.05, method)
    y, last = recurrence(Abar, Bbar, C, x)
    K = kernel(Abar, Bbar, C, 50)
    close(convolve(x, K), y)
    directly = [sum((K[j] * x[k - j]).item() for j in range(k + 1)) for k in range(50)]
    close(y, torch.tensor(directly, dtype=torch.float64))
    close((C * last).sum(), y[-1])


def test_hippo_legs_by_hand():
    A, B = hippo_legs(3)
    r3, r5, r15 = 3**0.5, 5**0.5, 15**0.5
    close(A, -torch.tensor([[1, 0, 0], [r3, 2, 0], [r5, r15, 3]], dtype=torch.float64))
    close(B, torch.tensor([1, r3, r5], dtype=torch.float64))


def test_s4d_real_is_the_diagonal_of_hippo_legs():
    close(s4d_real(16), hippo_legs(16)[0].diagonal())


def test_zero_order_hold_is_exact_for_one_state():
    Abar, Bbar = discretise(torch.tensor([[-3.0]]).double(), torch.tensor([2.0]).double(), 0.5)
    close(Abar, torch.tensor([[np.exp(-1.5)]]))
    close(Bbar, torch.tensor([2 * (1 - np.exp(-1.5)) / 3]))


def test_zero_order_hold_of_two_halves_is_that_of_the_whole():
    A, B = hippo_legs(8)
    (half_A, half_B), (whole_A, whole_B) = discretise(A, B, 0.1), discretise(A, B, 0.2)
    close(half_A @ half_A, whole_A)
    close(half_A @ half_B + half_B, whole_B)


@pytest.mark.parametrize(
    ("method", "order"), [("mamba", 2), ("euler", 2), ("bilinear", 3)], ids=str
)
def test_the_others_approach_it_as_steps_shrink(method, order):
    """Halving a step divides the error of that one step by 2 to the power of its order."""
    A, B = hippo_legs(4)
    errors = []
    for delta in (2e-3, 1e-3):
        exact, found = discretise(A, B, delta), discretise(A, B, delta, method)
        errors.append(sum((a - b).abs().sum() for a, b in zip(found, exact, strict=True)).item())
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.02)


def test_bilinear_by_hand():
    Abar, Bbar = discretise(torch.tensor([[-3.0]]), torch.tensor([2.0]), 0.5, "bilinear")
    assert Abar.item() == pytest.approx((1 - 0.75) / (1 + 0.75))
    assert Bbar.item() == pytest.approx(0.5 * 2 / (1 + 0.75))


def test_a_method_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="one of zoh, mamba, bilinear, euler, not foh"):
        discretise(*hippo_legs(2), 0.1, "foh")  # pyright: ignore[reportArgumentType]


def normal_legendre(n: int) -> Legendre:
    """The Legendre polynomial on [0, 1] whose square integrates to 1."""
    return Legendre.basis(n, domain=[0, 1]) * np.sqrt(2 * n + 1)


def test_the_state_of_hippo_legs_is_the_projection_of_the_past():
    """An input of five pieces, each held for 30 steps: its integrals are known exactly."""
    pieces, delta = np.array([1.0, -2.0, 0.5, 3.0, -1.0]), 0.01
    A, B = hippo_legs(7)
    x = torch.from_numpy(pieces).repeat_interleave(30)
    _, state = recurrence(*discretise(A, B, delta), torch.zeros(7).double(), x)
    edges = np.exp(-delta * np.arange(150, -1, -30))  # of the pieces in u, the oldest first
    for n, coefficient in enumerate(state):
        primitive = normal_legendre(n).integ()(edges)
        assert coefficient.item() == pytest.approx((pieces * np.diff(primitive)).sum(), abs=1e-12)


def test_reconstruction_sums_the_polynomials():
    state, lags = draw(7), torch.linspace(0, 4, 9, dtype=torch.float64)
    u = np.exp(-lags.numpy())
    by_numpy = sum(h.item() * normal_legendre(n)(u) for n, h in enumerate(state))
    close(reconstruct(state, lags), torch.from_numpy(by_numpy))


def test_more_states_remember_a_signal_better():
    delta, steps = 0.004, 1500
    lags = delta * (torch.arange(steps, dtype=torch.float64) + 0.5)
    past = torch.sin(4 * lags) * torch.exp(-lags)
    errors = []
    for states in (4, 8, 16):
        A, B = hippo_legs(states)
        nothing = torch.zeros(states, dtype=torch.float64)
        _, state = recurrence(*discretise(A, B, delta), nothing, past.flip(0))
        errors.append((reconstruct(state, lags) - past).abs().max().item())
    assert errors[2] < errors[1] / 2 < errors[0] / 4
    assert errors[2] < 0.05


def test_the_examples_of_the_page_run():
    page = Path(__file__).parents[2] / "docs" / "state-space.md"
    outcome = doctest.testfile(str(page), module_relative=False)
    assert outcome.attempted > 0 == outcome.failed
