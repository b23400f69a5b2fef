"""The convolution over rows and columns of a Mamba layer on a grid, with the SiLU after it."""

import torch.nn.functional as F
from torch import Tensor


def grid_conv_silu(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """SiLU of a convolution over a grid that keeps its size; zeros lie around the grid.

    Each channel has a kernel of its own.

    Args:
        x: (batch, height, width, channels).
        weight: (channels, 1, rows, columns), as `torch.nn.Conv2d` has it; both odd.
        bias: (channels).

    Returns:
        (batch, height, width, channels).
    """
    channels, _, rows, columns = weight.shape
    padding = (rows // 2, columns // 2)
    y = F.conv2d(x.movedim(-1, 1), weight, bias, padding=padding, groups=channels)
    return F.silu(y).movedim(1, -1)
