"""Losses against plain NumPy in float64."""

import numpy as np
import pytest
import torch

from tinyseg.errors import UsageError
from tinyseg.runs.records import Protocol
from tinyseg.training.losses import LOSSES, bce_dice_loss, dice_loss, make_loss

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


# Two classes and the background: three images of 6 x 5.
SEVERAL = RANDOM.normal(0, 2, (3, 3, 6, 5))
LABELS = RANDOM.integers(0, 3, (3, 1, 6, 5)).astype(np.float64)
SHARES = np.exp(SEVERAL) / np.exp(SEVERAL).sum(1, keepdims=True)


def test_dice_of_several_classes_is_their_mean_without_the_background():
    expected = []
    for number in (1, 2):
        p, t = SHARES[:, number], LABELS[:, 0] == number
        expected.append(1 - (2 * (p * t).sum() + 100) / (p.sum() + t.sum() + 100))
    loss = dice_loss(torch.from_numpy(SEVERAL), torch.from_numpy(LABELS))
    assert loss.item() == pytest.approx(np.mean(expected), rel=1e-12)


def test_cross_entropy_and_dice_of_several_classes():
    own = np.take_along_axis(SHARES, LABELS.astype(int), axis=1)
    dice = [
        (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)
        for image in range(3)
        for number in (1, 2)
        for p, t in [(SHARES[image, number], LABELS[image, 0] == number)]
    ]
    loss = bce_dice_loss(torch.from_numpy(SEVERAL), torch.from_numpy(LABELS))
    assert loss.item() == pytest.approx(-np.log(own).mean() + 1 - np.mean(dice), rel=1e-12)


def test_cross_entropy_of_whole_pictures_smooths_labels():
    protocol = Protocol.for_task("classification", label_smoothing=0.3)
    logits, labels = RANDOM.normal(0, 1, (5, 4)), np.array([0, 3, 1, 1, 2])
    logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    aims = 0.7 * np.eye(4)[labels] + 0.3 / 4
    loss = make_loss(protocol, "classification")(torch.from_numpy(logits), torch.from_numpy(labels))
    assert loss.item() == pytest.approx(-(aims * logs).sum(1).mean(), rel=1e-12)


@pytest.mark.parametrize(
    ("task", "given", "sentence"),
    [
        ("classification", {"loss": "dice"}, "dice is not one of classification"),
        ("segmentation", {"loss": "cross-entropy"}, "has dice and bce-dice"),
        ("segmentation", {"label_smoothing": 0.1}, "Label smoothing goes with"),
    ],
)
def test_a_loss_of_the_other_task_is_refused(task, given, sentence):
    with pytest.raises(UsageError, match=sentence):
        make_loss(Protocol.for_task(task, **given), task)


def tensors() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(LOGITS), torch.from_numpy(MASKS)
