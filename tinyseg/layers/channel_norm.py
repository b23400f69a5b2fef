"""Layer norm of feature maps."""

import torch.nn.functional as F
from torch import Tensor, nn


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of (batch, channels, height, width), pixel by pixel."""

    def forward(self, input: Tensor) -> Tensor:
        """Maps (batch, channels, height, width) to the same shape."""
        pixels = input.permute(0, 2, 3, 1)
        normed = F.layer_norm(pixels, self.normalized_shape, self.weight, self.bias, self.eps)
        return normed.permute(0, 3, 1, 2)
