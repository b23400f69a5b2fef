"""A part whose result is added to its input."""

import torch.nn.functional as F
from torch import Tensor, nn

from tinyseg.errors import UsageError


class Residual(nn.Module):
    """Adds to its input what a part makes of it.

    Training may leave the part out for some pictures of a batch and scale it for the others
    (stochastic depth, Huang et al. 2016, arXiv:1603.09382).

    Args:
        fn: the part; it keeps shapes.
        drop_path: the share of pictures without it.

    Raises:
        UsageError: a share that is none.
    """

    def __init__(self, fn: nn.Module, drop_path: float = 0.0) -> None:
        super().__init__()
        if not 0 <= drop_path < 1:
            raise UsageError(f"drop_path should be at least 0 and below 1, not {drop_path}.")
        self.fn, self.drop_path = fn, drop_path

    def forward(self, x: Tensor) -> Tensor:
        """Maps (batch, ...) to the same shape."""
        y = self.fn(x)
        if self.training and self.drop_path:
            y = y * F.dropout(x.new_ones(len(x), *[1] * (x.dim() - 1)), self.drop_path)
        return x + y
