"""U-Net (Ronneberger et al. 2015), with batch norm and padding, as the paper's code has it."""

import torch
from torch import Tensor, nn

from tinyseg.errors import UsageError
from tinyseg.networks.registry import Network, PaperRow
from tinyseg.networks.segmentation import SegmentationNetwork


class UNet(SegmentationNetwork):
    """The U-shaped convolutional network.

    Parameter names are those of the paper's code.

    Args:
        in_channels: channels of a picture.
        classes: channels of the logits.
        base_channels: channels of the first stage; each next one has twice as many.
        depth: how often the side is halved.
    """

    def __init__(
        self, in_channels: int = 3, classes: int = 1, base_channels: int = 32, depth: int = 4
    ) -> None:
        super().__init__()
        if base_channels < 1 or depth < 1:
            raise UsageError(
                f"base_channels and depth should be at least 1, not {base_channels} and {depth}."
            )
        self.depth, self.multiple = depth, 2**depth
        widths = [base_channels * 2**stage for stage in range(depth + 1)]
        for stage in range(1, depth + 1):
            before = in_channels if stage == 1 else widths[stage - 2]
            self.add_module(f"encoder{stage}", _block(before, widths[stage - 1]))
        self.bottleneck = _block(widths[-2], widths[-1])
        for stage in range(depth, 0, -1):
            wide, narrow = widths[stage], widths[stage - 1]
            self.add_module(f"upconv{stage}", nn.ConvTranspose2d(wide, narrow, 2, stride=2))
            self.add_module(f"decoder{stage}", _block(wide, narrow))
        self.pool = nn.MaxPool2d(2)
        self.conv = nn.Conv2d(base_channels, classes, 1)

    def logits(self, x: Tensor) -> Tensor:
        """See `SegmentationNetwork.logits`."""
        skips: list[Tensor] = []
        for stage in range(1, self.depth + 1):
            x = self.get_submodule(f"encoder{stage}")(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bottleneck(x)
        for stage in range(self.depth, 0, -1):
            x = self.get_submodule(f"upconv{stage}")(x)
            x = self.get_submodule(f"decoder{stage}")(torch.cat([x, skips.pop()], 1))
        return self.conv(x)


def _block(width_in: int, width_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width_in, width_out, 3, padding=1),
        nn.BatchNorm2d(width_out),
        nn.ReLU(),
        nn.Conv2d(width_out, width_out, 3, padding=1),
        nn.BatchNorm2d(width_out),
        nn.ReLU(),
    )


UNET = Network(UNet, family="U-Net", paper=PaperRow(parameters_m=7.8, dice=0.8929))
