"""Losses of the paper's code, on logits."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

_POOLED_SMOOTHING = 100.0
_IMAGE_SMOOTHING = 1.0

Loss = Callable[[Tensor, Tensor], Tensor]


def dice_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Soft Dice loss pooled over the whole batch, smoothed by 100 pixels.

    With p the sigmoid of the logits and t the mask: 1 - (2 sum(p t) + 100) / (sum(p) + sum(t) +
    100). The loss of the paper's U-Net, ResNets and U-Mambas.

    Args:
        logits: (batch, 1, height, width).
        masks: the same shape, of 0 and 1.
    """
    p = torch.sigmoid(logits)
    overlap, total = (p * masks).sum(), p.sum() + masks.sum()
    return 1 - (2 * overlap + _POOLED_SMOOTHING) / (total + _POOLED_SMOOTHING)


def bce_dice_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Binary cross-entropy, a mean over pixels, plus soft Dice loss image by image.

    The Dice loss of an image is smoothed by 1 pixel, and the mean over the batch counts as much as
    the cross-entropy. The loss of UltraLight VM-UNet, there and in the paper's code.

    Args:
        logits: (batch, 1, height, width).
        masks: the same shape, of 0 and 1.
    """
    p, t = torch.sigmoid(logits).flatten(1), masks.flatten(1)
    overlap, total = (p * t).sum(1), p.sum(1) + t.sum(1)
    dice = (2 * overlap + _IMAGE_SMOOTHING) / (total + _IMAGE_SMOOTHING)
    return F.binary_cross_entropy_with_logits(logits, masks) + 1 - dice.mean()


LOSSES: dict[str, Loss] = {"dice": dice_loss, "bce-dice": bce_dice_loss}
