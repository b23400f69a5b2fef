"""The parallel vision Mamba layer of UltraLight VM-UNet."""

import torch
from torch import Tensor, nn

from tinyseg.errors import UsageError
from tinyseg.layers.mamba import Mamba


class ParallelVisionMamba(nn.Module):
    """One Mamba over equal parts of the channels (Wu et al. 2024, "UltraLight VM-UNet", 3.2).

    Pixels are tokens in row-major order. All branches share one Mamba, so they are folded into the
    batch and take one call. The layer norm is used twice, before and after, with the same weights.

    Args:
        in_channels: channels that come in; the branches divide them.
        out_channels: channels that go out.
        branches: parts of the channels.
    """

    def __init__(self, in_channels: int, out_channels: int, branches: int = 4) -> None:
        super().__init__()
        if in_channels % branches:
            raise UsageError(
                f"{in_channels} channels cannot be shared by {branches} branches.",
                "Choose a number of branches that divides them.",
            )
        self.branches = branches
        self.norm = nn.LayerNorm(in_channels)
        self.mamba = Mamba(in_channels // branches)
        self.proj = nn.Linear(in_channels, out_channels)
        self.skip_scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (batch, in_channels, height, width) to (batch, out_channels, height, width)."""
        height, width = x.shape[2:]
        tokens = self.norm(x.flatten(2).transpose(1, 2))
        folded = self._fold(tokens)
        mixed = self._unfold(self.mamba(folded) + self.skip_scale * folded)
        out = self.proj(self.norm(mixed))
        return out.transpose(1, 2).unflatten(2, (height, width))

    def _fold(self, tokens: Tensor) -> Tensor:
        """(batch, length, channels) to (batch x branches, length, channels / branches)."""
        return tokens.unflatten(2, (self.branches, -1)).transpose(1, 2).flatten(0, 1)

    def _unfold(self, folded: Tensor) -> Tensor:
        return folded.unflatten(0, (-1, self.branches)).transpose(1, 2).flatten(2)
