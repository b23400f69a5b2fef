"""The attention bridge over a U-shaped network's skip connections."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tinyseg.layers.memory_layout import in_layout_of


class SpatialAttention(nn.Module):
    """Where to look: one convolution over mean and maximum of the channels, for all scales."""

    def __init__(self) -> None:
        super().__init__()
        self.shared_conv2d = nn.Sequential(nn.Conv2d(2, 1, 7, padding=9, dilation=3))

    def forward(self, skip: Tensor) -> Tensor:
        """Maps (batch, channels, height, width) to a factor (batch, 1, height, width)."""
        maps = torch.cat([skip.mean(1, keepdim=True), skip.amax(1, keepdim=True)], 1)
        # The backward of this convolution takes nearly four times as long in the other layout.
        return torch.sigmoid(self.shared_conv2d(in_layout_of(skip, maps)))


class ChannelAttention(nn.Module):
    """Which channels to trust, seen over all scales at once.

    Args:
        channels: channels of each scale.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.get_all_att = nn.Conv1d(1, 1, 3, padding=1, bias=False)
        for number, width in enumerate(channels, 1):
            self.add_module(f"att{number}", nn.Linear(sum(channels), width))

    def forward(self, skips: Sequence[Tensor]) -> list[Tensor]:
        """A factor (batch, channels, 1, 1) for every skip."""
        pooled = torch.cat([self.pool(skip).flatten(1) for skip in skips], 1)
        mixed = self.get_all_att(pooled.unsqueeze(1)).squeeze(1)
        gates = (self.get_submodule(f"att{number + 1}") for number in range(len(skips)))
        return [torch.sigmoid(gate(mixed)).unsqueeze(-1).unsqueeze(-1) for gate in gates]


class AttentionBridge(nn.Module):
    """Spatial, then channel attention over the skips (Wu et al. 2024, after Ruan et al. 2022).

    With s the spatial and a the channel factor, a skip t becomes ``a (s t + t) + s t``.

    Args:
        channels: channels of each scale.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.catt = ChannelAttention(channels)
        self.satt = SpatialAttention()

    def forward(self, skips: Sequence[Tensor]) -> list[Tensor]:
        """Maps the skips, finest first, to as many of the same shapes."""
        looked_at = [self.satt(skip) * skip for skip in skips]
        joined = [new + skip for new, skip in zip(looked_at, skips, strict=True)]
        factors = self.catt(joined)
        return [a * w + u for a, w, u in zip(factors, joined, looked_at, strict=True)]
