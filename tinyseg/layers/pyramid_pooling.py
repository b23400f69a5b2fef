"""Pyramid pooling as the paper's networks have it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinyseg.errors import UsageError

_BINS = (1, 2, 3, 6)
_SHARES = (8, 4, 2, 8)  # what each bin gets of the channels, one in so many


class PyramidPooling(nn.Module):
    """Averages over grids of 1 to 6 bins a side, each convolved and stretched to the map again.

    After Zhao et al. 2017 (arXiv:1612.01105), but without norms, and the map itself is not joined
    to its averages: they replace it, so that nothing finer than a sixth of its side remains.

    Args:
        channels: of the map, in and out; a multiple of 8.

    Raises:
        UsageError: channels that do not divide.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels < 1 or channels % max(_SHARES):
            raise UsageError(
                f"Pyramid pooling takes channels that are a multiple of {max(_SHARES)}, "
                f"not {channels}."
            )
        self.pools = nn.ModuleList(nn.AdaptiveAvgPool2d(bins) for bins in _BINS)
        self.conv_layers = nn.ModuleList(
            nn.Conv2d(channels, channels // share, 1) for share in _SHARES
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps (batch, channels, height, width) to the same shape."""
        return torch.cat(
            [
                F.interpolate(
                    F.relu(conv(pool(x))),
                    size=x.shape[2:],
                    mode="bilinear",
                    align_corners=True,
                )
                for pool, conv in zip(self.pools, self.conv_layers, strict=True)
            ],
            1,
        )
