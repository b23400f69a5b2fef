"""From a coarser grid of logits to the picture's size."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class ToPicture(nn.Module):
    """Brings logits of a coarser grid to the picture's size.

    Bilinear, corners not aligned. Counted apart, as published counts leave it out.
    """

    def forward(self, logits: Tensor, size: Sequence[int]) -> Tensor:
        """Maps (batch, classes, h, w) to (batch, classes, *size); size is (height, width)."""
        return F.interpolate(logits, list(size), mode="bilinear", align_corners=False)
