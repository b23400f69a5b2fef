"""Losses on logits: those of the paper's code for masks, cross-entropy for whole pictures."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from tinyseg.errors import UsageError
from tinyseg.runs.records import Protocol, Task

_POOLED_SMOOTHING = 100.0
_IMAGE_SMOOTHING = 1.0

#: Logits (batch, channels, ...) and labels (batch, 1, ...), or (batch,) of whole pictures.
Loss = Callable[[Tensor, Tensor], Tensor]


def dice_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Soft Dice loss pooled over the whole batch, smoothed by 100 pixels.

    With p the probabilities of a class and t its mask: 1 - (2 sum(p t) + 100) / (sum(p) + sum(t) +
    100), of several classes the mean without the background. The loss of the paper's U-Net, ResNets
    and U-Mambas.

    Args:
        logits: (batch, channels, height, width); one channel, or one of the background and one a
            class.
        labels: (batch, 1, height, width), 0 background.
    """
    p, t = (tensor.transpose(0, 1).flatten(1) for tensor in _foreground(logits, labels))
    overlap, total = (p * t).sum(1), p.sum(1) + t.sum(1)
    return 1 - ((2 * overlap + _POOLED_SMOOTHING) / (total + _POOLED_SMOOTHING)).mean()


def bce_dice_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy, a mean over pixels, plus soft Dice loss image by image.

    The Dice loss of an image is smoothed by 1 pixel, and the mean over the batch (and the classes)
    counts as much as the cross-entropy, which is binary where there is one class. The loss of
    UltraLight VM-UNet, there and in the paper's code.

    Args:
        logits: as for `dice_loss`.
        labels: as for `dice_loss`.
    """
    p, t = (tensor.flatten(2) for tensor in _foreground(logits, labels))
    overlap, total = (p * t).sum(2), p.sum(2) + t.sum(2)
    dice = (2 * overlap + _IMAGE_SMOOTHING) / (total + _IMAGE_SMOOTHING)
    return _cross_entropy(logits, labels) + 1 - dice.mean()


def _foreground(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities and masks of each foreground class, (batch, classes, height, width)."""
    if logits.shape[1] == 1:
        return torch.sigmoid(logits), labels
    numbers = torch.arange(1, logits.shape[1], device=labels.device).view(1, -1, 1, 1)
    return torch.softmax(logits, 1)[:, 1:], (labels == numbers).to(logits.dtype)


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits, labels)
    return F.cross_entropy(logits, labels[:, 0].long())


#: Losses of masks; those of whole pictures are `make_loss`'s own business.
LOSSES: dict[str, Loss] = {"dice": dice_loss, "bce-dice": bce_dice_loss}


def make_loss(protocol: Protocol, task: Task) -> Loss:
    """The loss of a protocol.

    Raises:
        UsageError: it is not one of the task's, or labels are to be smoothed that it cannot smooth.
    """
    names = {"segmentation": list(LOSSES), "classification": ["cross-entropy"]}[task]
    if protocol.loss not in names:
        raise UsageError(
            f"The loss {protocol.loss} is not one of {task}, which has {' and '.join(names)}."
        )
    if task == "classification":
        return partial(F.cross_entropy, label_smoothing=protocol.label_smoothing)
    if protocol.label_smoothing:
        raise UsageError(
            f"Label smoothing goes with the loss cross-entropy, not with {protocol.loss}.",
            "Leave --label-smoothing out.",
        )
    return LOSSES[protocol.loss]
