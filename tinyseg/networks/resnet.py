"""Residual network with bottlenecks (He et al. 2015, arXiv:1512.03385), for small pictures."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from tinyseg.errors import UsageError
from tinyseg.layers.resnet import STEM_CHANNELS, Bottleneck, initialise_resnet, resnet_stages
from tinyseg.networks.registry import Network


class ResNet(nn.Module):
    """Four stages of bottlenecks behind one 3x3 convolution that keeps the side.

    Parameter names are torchvision's. The stem is the usual one for pictures of 32x32, of which
    ImageNet's would leave a quarter of the side.

    Args:
        in_channels: channels of a picture.
        classes: how many classes there are.
        depths: bottlenecks of each stage.

    Raises:
        UsageError: depths that are not four numbers from 1.
    """

    def __init__(
        self, in_channels: int = 3, classes: int = 100, depths: Sequence[int] = (3, 4, 6, 3)
    ) -> None:
        super().__init__()
        if len(depths) != 4 or min(depths) < 1:
            raise UsageError(f"depths should be four numbers from 1, not {list(depths)}.")
        self.conv1 = nn.Conv2d(in_channels, STEM_CHANNELS, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM_CHANNELS)
        self.layer1, self.layer2, self.layer3, self.layer4 = resnet_stages(Bottleneck, depths)
        self.fc = nn.Linear(512 * Bottleneck.expansion, classes)
        initialise_resnet(self)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (batch, in_channels, height, width) to logits (batch, classes)."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


RESNET50 = Network(ResNet, family="ResNet", task="classification", size=32, classes=100)
