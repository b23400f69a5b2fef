"""Residual blocks and stages of ResNet (He et al. 2015, arXiv:1512.03385), named as torchvision's.

The stride of a bottleneck sits in its 3x3 convolution, as torchvision has it.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

STEM_CHANNELS = 64  # that the first stage takes
_WIDTHS = (64, 128, 256, 512)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut.

    Args:
        width_in: channels that come in.
        width: channels inside, and ``expansion`` times as many go out.
        stride: by how much the side shrinks.
    """

    expansion = 1

    def __init__(self, width_in: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = _conv3x3(width_in, width, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(width_in, width * self.expansion, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (batch, width_in, h, w) to (batch, expansion x width, h / stride, w / stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class Bottleneck(nn.Module):
    """A 3x3 convolution between two of 1x1, and a shortcut.

    Args:
        width_in: channels that come in.
        width: channels inside, and ``expansion`` times as many go out.
        stride: by how much the side shrinks.
    """

    expansion = 4

    def __init__(self, width_in: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = _conv1x1(width_in, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _conv1x1(width, width * self.expansion)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.downsample = _shortcut(width_in, width * self.expansion, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (batch, width_in, h, w) to (batch, expansion x width, h / stride, w / stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


def resnet_stages(
    block: type[BasicBlock] | type[Bottleneck], depths: Sequence[int]
) -> list[nn.Sequential]:
    """The four stages, ``layer1`` to ``layer4`` in torchvision.

    The first takes ``STEM_CHANNELS`` and keeps the side, each next one halves it. The last gives
    512 x ``block.expansion`` channels. `initialise_resnet` gives them torchvision's start.

    Args:
        block: what they are made of.
        depths: blocks of each stage.
    """
    widths = (STEM_CHANNELS, *(width * block.expansion for width in _WIDTHS))
    stages: list[nn.Sequential] = []
    for width, (before, after), depth in zip(_WIDTHS, pairwise(widths), depths, strict=True):
        first = block(before, width, stride=2 if stages else 1)
        stages.append(nn.Sequential(first, *(block(after, width) for _ in range(depth - 1))))
    return stages


def initialise_resnet(module: nn.Module) -> None:
    """Gives all convolutions inside He's normal start, over what goes out, as torchvision does."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")


def _conv3x3(width_in: int, width_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(width_in, width_out, 3, stride, padding=1, bias=False)


def _conv1x1(width_in: int, width_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(width_in, width_out, 1, stride, bias=False)


def _shortcut(width_in: int, width_out: int, stride: int) -> nn.Sequential:
    if stride == 1 and width_in == width_out:
        return nn.Sequential()
    return nn.Sequential(_conv1x1(width_in, width_out, stride), nn.BatchNorm2d(width_out))
