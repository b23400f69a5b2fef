"""Residual blocks of two 3x3 convolutions with instance norm and leaky ReLU (slope 0.01)."""

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn


def conv_norm(
    width_in: int, width_out: int, kernel: int, stride: int = 1, bias: bool = True
) -> nn.Sequential:
    """A convolution ``conv`` and an instance norm without parameters, ``norm``."""
    conv = nn.Conv2d(width_in, width_out, kernel, stride, padding=kernel // 2, bias=bias)
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.InstanceNorm2d(width_out)))


class ResNetDBlock(nn.Module):
    """The basic block of ResNet-D (He et al. 2018, arXiv:1812.01187), as nnU-Net's library has it.

    The shortcut averages before it projects, and is the identity where nothing changes. The norms
    take the biases of the convolutions before them away again; they are kept for checkpoints.

    Args:
        width_in: channels that come in.
        width_out: channels that go out.
        stride: by how much the side shrinks.
    """

    def __init__(self, width_in: int, width_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = conv_norm(width_in, width_out, 3, stride)
        self.conv2 = conv_norm(width_out, width_out, 3)
        self.skip = nn.Sequential()
        if stride > 1:
            self.skip.append(nn.AvgPool2d(stride))
        if width_in != width_out:
            self.skip.append(conv_norm(width_in, width_out, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (batch, width_in, h, w) to (batch, width_out, h / stride, w / stride)."""
        y = self.conv2(F.leaky_relu(self.conv1(x)))
        return F.leaky_relu(y + self.skip(x))


class ProjectedBlock(nn.Module):
    """The residual block of U-Mamba (Ma et al. 2024, arXiv:2401.04722): it always projects.

    The shortcut takes every so many pixels to a 1x1 convolution without a norm; the norms have
    weights and biases.

    Args:
        width_in: channels that come in.
        width_out: channels that go out.
        stride: by how much the side shrinks.
    """

    def __init__(self, width_in: int, width_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width_out, 3, stride, padding=1)
        self.norm1 = nn.InstanceNorm2d(width_out, affine=True)
        self.conv2 = nn.Conv2d(width_out, width_out, 3, padding=1)
        self.norm2 = nn.InstanceNorm2d(width_out, affine=True)
        # A stride in conv3 would be the same, but for fewer than 16 channels oneDNN's gradient of
        # it writes outside its memory (oneDNN issue 6035).
        self.thin = nn.MaxPool2d(1, stride) if stride > 1 else nn.Identity()
        self.conv3 = nn.Conv2d(width_in, width_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (batch, width_in, h, w) to (batch, width_out, h / stride, w / stride)."""
        y = F.leaky_relu(self.norm1(self.conv1(x)))
        return F.leaky_relu(self.norm2(self.conv2(y)) + self.conv3(self.thin(x)))
