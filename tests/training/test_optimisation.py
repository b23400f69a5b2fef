"""The learning rate of every step, and what decay means in each optimiser."""

import math

import pytest
import torch

from tinyseg.runs.records import Protocol
from tinyseg.training.optimisation import make_optimiser, make_schedule


def rates(steps: int, **settings: object) -> list[float]:
    protocol = Protocol(lr=0.5, **settings)
    optimiser = make_optimiser([torch.nn.Parameter(torch.zeros(1))], protocol)
    schedule = make_schedule(optimiser, protocol, steps)
    found: list[float] = []
    for _ in range(steps):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return found


def test_warm_up_is_linear_then_half_a_cosine():
    found = rates(14, warmup_steps=4, schedule="cosine")
    assert found[:5] == pytest.approx([0.125, 0.25, 0.375, 0.5, 0.5])
    assert found[9] == pytest.approx(0.25)
    assert found[13] == pytest.approx(0.25 * (1 + math.cos(0.9 * math.pi)))


def test_constant_is_constant():
    assert rates(5, warmup_steps=0, schedule="constant") == [0.5] * 5
    assert rates(4, warmup_steps=2, schedule="constant") == [0.25, 0.5, 0.5, 0.5]


@pytest.mark.parametrize(("optimizer", "left"), [("adamw", 1 - 0.5 * 0.1), ("adam", 0.5)])
def test_decay_is_decoupled_in_adamw_alone(optimizer, left):
    """Without a gradient AdamW shrinks by lr x decay; Adam takes a whole step."""
    weight = torch.nn.Parameter(torch.ones(1))
    weight.grad = torch.zeros(1)
    make_optimiser([weight], Protocol(lr=0.5, weight_decay=0.1, optimizer=optimizer)).step()
    assert weight.item() == pytest.approx(left, abs=1e-6)
