"""What all segmentation networks have in common: logits for pictures of any size."""

from abc import ABC, abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from torch import SymInt, Tensor, nn


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
        sides: tuple[int | SymInt, ...] = x.shape[2:]
        # A side that an exporter leaves free stays so: then the picture is extended, if by nothing.
        free = any(isinstance(side, SymInt) for side in sides)
        height, width = sides if free else map(int, sides)
        below, right = self._missing(height), self._missing(width)
        if not free and not below and not right:
            return self.logits(x)
        extended = F.pad(x, (0, right, 0, below), mode="replicate")
        return self.logits(extended)[..., :height, :width]

    def _missing(self, side: Any) -> Any:
        whole = (side + self.multiple - 1) // self.multiple * self.multiple
        return torch.sym_max(whole, self.smallest) - side
