"""Convolutions of single pixels that give few channels."""

import torch
from torch import Tensor, nn

_THIN = 4  # channels


def is_thin(conv: nn.Conv2d) -> bool:
    """Whether it gives so few channels that ONNX Runtime, which rounds them up to 16, loses."""
    plain = conv.kernel_size == (1, 1) and conv.stride == (1, 1) and conv.padding == (0, 0)
    return plain and conv.groups == 1 and conv.out_channels <= _THIN


class ThinConv(nn.Module):
    """A convolution of single pixels as a product of matrices."""

    weight: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.register_buffer("weight", conv.weight.detach().flatten(1))
        self.bias = conv.bias

    def forward(self, x: Tensor) -> Tensor:
        """Maps (batch, in_channels, height, width) to (batch, out_channels, height, width)."""
        batch, channels, height, width = x.shape
        if batch == 1 and self.bias is not None:
            flat = x.reshape(channels, height * width)
            y = torch.addmm(self.bias[:, None], self.weight, flat)
        else:
            y = torch.matmul(self.weight, x.flatten(2))
            y = y if self.bias is None else y + self.bias[:, None]
        return y.reshape(batch, -1, height, width)
