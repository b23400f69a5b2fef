"""The parallel vision Mamba layer of UltraLight VM-UNet."""

import torch
from torch import Tensor, nn

from tinyseg.errors import UsageError
from tinyseg.layers.mixers import Mixer, make_mixer
from tinyseg.layers.pyramid_pooling import PyramidPooling
from tinyseg.scan import Discretisation


class ParallelVisionMamba(nn.Module):
    """One Mamba over equal parts of the channels (Wu et al. 2024, "UltraLight VM-UNet", 3.2).

    Pixels are tokens in row-major order. All branches share one Mamba, so they are folded into the
    batch and take one call. The layer norm is used twice, before and after, with the same weights.
    The result lies in memory as channels_last; an input that does too enters without a copy.

    Args:
        in_channels: channels that come in; the branches divide them.
        out_channels: channels that go out.
        branches: parts of the channels.
        discretisation: ``zoh`` or ``euler``; see `Mamba`.
        mixer: which scan the layer has; see `Mixer`.
        pyramid: pool the input over a pyramid first, which leaves its averages alone of it.

    Raises:
        UsageError: the branches do not divide the channels; no such mixer or discretisation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        branches: int = 4,
        discretisation: Discretisation = "zoh",
        mixer: Mixer = "s6",
        pyramid: bool = False,
    ) -> None:
        super().__init__()
        if branches < 1 or in_channels % branches:
            raise UsageError(
                f"{in_channels} channels cannot be shared by {branches} branches.",
                "Choose a number of branches that divides them.",
            )
        self.branches = branches
        self.ppm = PyramidPooling(in_channels) if pyramid else nn.Identity()
        self.norm = nn.LayerNorm(in_channels)
        self.mamba = make_mixer(mixer, in_channels // branches, discretisation=discretisation)
        self.proj = nn.Linear(in_channels, out_channels)
        self.skip_scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (batch, in_channels, height, width) to (batch, out_channels, height, width)."""
        height, width = x.shape[2:]
        tokens = self.norm(self.ppm(x).flatten(2).transpose(1, 2))
        parts = tokens.unflatten(2, (self.branches, -1))
        # The sum takes the layout of its first term, so that joining the parts copies nothing.
        mixed = self.skip_scale * parts + self._unfold(self.mamba(self._fold(parts)))
        out = self.proj(self.norm(mixed.flatten(2)))
        return out.transpose(1, 2).unflatten(2, (height, width))

    def _fold(self, parts: Tensor) -> Tensor:
        """(batch, length, branches, width) to (batch x branches, length, width)."""
        return parts.transpose(1, 2).flatten(0, 1)

    def _unfold(self, folded: Tensor) -> Tensor:
        return folded.unflatten(0, (-1, self.branches)).transpose(1, 2)
