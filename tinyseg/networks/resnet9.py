"""ResNet-9, the small residual network for CIFAR that came out of DAWNBench (Page 2018)."""

import torch.nn.functional as F
from torch import Tensor, nn

from tinyseg.errors import UsageError
from tinyseg.networks.registry import Network


class ResNet9(nn.Module):
    """Eight convolutions, two residual connections, and a linear layer on each channel's maximum.

    Args:
        in_channels: channels of a picture; its sides should be at least 8.
        classes: how many classes there are.
        base_channels: channels of the first convolution; the last has eight times as many.

    Raises:
        UsageError: no channels.
    """

    def __init__(self, in_channels: int = 3, classes: int = 100, base_channels: int = 64) -> None:
        super().__init__()
        if base_channels < 1:
            raise UsageError(f"base_channels should be at least 1, not {base_channels}.")
        first, second, third, last = (base_channels * 2**stage for stage in range(4))
        self.conv1 = _convolution(in_channels, first)
        self.conv2 = _convolution(first, second)
        self.res1 = nn.Sequential(_convolution(second, second), _convolution(second, second))
        self.conv3 = _convolution(second, third)
        self.conv4 = _convolution(third, last)
        self.res2 = nn.Sequential(_convolution(last, last), _convolution(last, last))
        self.fc = nn.Linear(last, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (batch, in_channels, height, width) to logits (batch, classes)."""
        x = F.max_pool2d(self.conv2(self.conv1(x)), 2)
        x = x + self.res1(x)
        x = F.max_pool2d(self.conv3(x), 2)
        x = F.max_pool2d(self.conv4(x), 2)
        x = x + self.res2(x)
        return self.fc(x.amax((2, 3)))


def _convolution(width_in: int, width_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width_in, width_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(width_out),
        nn.ReLU(),
    )


RESNET9 = Network(ResNet9, family="ResNet", task="classification", size=32, classes=100)
