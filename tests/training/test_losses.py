"""Losses against plain NumPy in float64."""

import numpy as np
import pytest
import torch

from tinyseg.training.losses import LOSSES, bce_dice_loss, dice_loss

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(0, 2, (3, 1, 6, 5))
MASKS = (RANDOM.random((3, 1, 6, 5)) < 0.3).astype(np.float64)
MASKS[1] = 0  # an image without foreground
P = 1 / (1 + np.exp(-LOGITS))


def test_dice_is_pooled_over_the_batch_with_a_smoothing_of_100():
    expected = 1 - (2 * (P * MASKS).sum() + 100) / (P.sum() + MASKS.sum() + 100)
    assert dice_loss(*tensors()).item() == pytest.approx(expected, rel=1e-12)


def test_bce_dice_is_taken_image_by_image_with_a_smoothing_of_1():
    bce = -(MASKS * np.log(P) + (1 - MASKS) * np.log(1 - P)).mean()
    dice = [
        (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1) for p, t in zip(P, MASKS, strict=True)
    ]
    assert bce_dice_loss(*tensors()).item() == pytest.approx(bce + 1 - np.mean(dice), rel=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_finite_differences(name):
    logits, masks = tensors()
    assert torch.autograd.gradcheck(lambda z: LOSSES[name](z, masks), logits.requires_grad_())


@pytest.mark.parametrize("name", LOSSES)
def test_certain_and_right_costs_nothing_even_with_huge_logits(name):
    masks = torch.from_numpy(MASKS)
    assert LOSSES[name]((2 * masks - 1) * 1e4, masks).item() == pytest.approx(0, abs=1e-12)


def tensors() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(LOGITS), torch.from_numpy(MASKS)
