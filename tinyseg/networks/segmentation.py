"""What all segmentation networks have in common: logits for pictures of any size."""

from abc import ABC, abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn


class SegmentationNetwork(nn.Module, ABC):
    """Extends pictures to sides that `logits` takes, and crops what it gives.

    Attributes:
        multiple: sides that `logits` takes are multiples of it.
        smallest: and no less than this.
    """

    multiple: int = 1
    smallest: int = 1

    @abstractmethod
    def logits(self, x: Tensor) -> Tensor:
        """Maps (batch, in_channels, height, width) to (batch, classes, height, width)."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps (batch, in_channels, height, width) to logits (batch, classes, height, width).

        Where sides do not fit, the last row and column are repeated, and their logits left out.
        """
        height, width = map(int, x.shape[2:])
        below, right = self._missing(height), self._missing(width)
        if not below and not right:
            return self.logits(x)
        extended = F.pad(x, (0, right, 0, below), mode="replicate")
        return self.logits(extended)[..., :height, :width]

    def _missing(self, side: int) -> int:
        return max(-(-side // self.multiple) * self.multiple, self.smallest) - side
