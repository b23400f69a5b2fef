"""ResNet encoders (He et al. 2015, arXiv:1512.03385) under a decoder of transposed convolutions.

As the code of "Mamba vs SOTA for Vision Tasks" has them: no skips, no norm in the decoder.
Different on purpose: the last resize goes to the picture's size, where the original always gives
256x256. Parameter names are the original's.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from tinyseg.errors import UsageError
from tinyseg.layers.resnet import (
    STEM_CHANNELS,
    BasicBlock,
    Bottleneck,
    initialise_resnet,
    resnet_stages,
)
from tinyseg.networks.encoder_weights import EncoderWeights
from tinyseg.networks.registry import Network, PaperRow
from tinyseg.networks.segmentation import SegmentationNetwork

Block = Literal["basic", "bottleneck"]

# What torchvision calls the encoder's layers.
_LAYERS = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}


class ResNetSeg(SegmentationNetwork):
    """A ResNet without its classifier, and four transposed convolutions that double the side.

    The encoder leaves a 32nd of the side, the decoder reaches half of it; the rest is resized.

    Args:
        in_channels: channels of a picture.
        classes: channels of the logits.
        block: what the encoder is made of, ``basic`` blocks or ``bottleneck`` ones.
        depths: blocks of each of the encoder's four stages.
        decoder_channels: channels between the four layers of the decoder.

    Raises:
        UsageError: an argument that does not fit.
    """

    multiple = 32
    smallest = 64  # batch norm learns from more than one pixel, also of a single picture

    def __init__(
        self,
        in_channels: int = 3,
        classes: int = 1,
        block: Block = "basic",
        depths: Sequence[int] = (2, 2, 2, 2),
        decoder_channels: Sequence[int] = (256, 128, 64),
    ) -> None:
        super().__init__()
        if min(in_channels, classes) < 1:
            raise UsageError(
                f"in_channels and classes should be at least 1, not {in_channels} and {classes}."
            )
        if block not in get_args(Block):
            raise UsageError(f"block should be 'basic' or 'bottleneck', not '{block}'.")
        if len(depths) != 4 or min(depths) < 1:
            raise UsageError(f"depths should be four numbers from 1, not {list(depths)}.")
        if len(decoder_channels) != 3 or min(decoder_channels) < 1:
            raise UsageError(
                f"decoder_channels should be three numbers from 1, not {list(decoder_channels)}."
            )
        kind = BasicBlock if block == "basic" else Bottleneck
        self.encoder = nn.Sequential(
            nn.Conv2d(in_channels, STEM_CHANNELS, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(STEM_CHANNELS),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
            *resnet_stages(kind, depths),
        )
        self.decoder = nn.Sequential(*_decoder([512 * kind.expansion, *decoder_channels, classes]))
        initialise_resnet(self.encoder)

    def logits(self, x: Tensor) -> Tensor:
        """See `SegmentationNetwork.logits`."""
        y = self.decoder(self.encoder(x))
        return F.interpolate(y, size=x.shape[2:], mode="bilinear", align_corners=False)


def _decoder(widths: Sequence[int]) -> Iterator[nn.Module]:
    for number, (before, after) in enumerate(pairwise(widths)):
        if number:
            yield nn.ReLU()
        yield nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)


def _in_torchvision(name: str) -> str:
    place, _, rest = name.partition(".")
    return f"{_LAYERS[place]}.{rest}"


def _imagenet(file: str) -> EncoderWeights:
    return EncoderWeights(f"https://download.pytorch.org/models/{file}", _in_torchvision, "fc.")


RESNET18 = Network(
    ResNetSeg,
    family="ResNet",
    paper=PaperRow(parameters_m=13.9, dice=0.8648),
    encoder_weights=_imagenet("resnet18-f37072fd.pth"),
)
RESNET50 = Network(
    ResNetSeg,
    family="ResNet",
    arguments={
        "block": "bottleneck",
        "depths": (3, 4, 6, 3),
        "decoder_channels": (512, 256, 128),
    },
    paper=PaperRow(parameters_m=42.9, dice=0.8672),
    encoder_weights=_imagenet("resnet50-0676ba61.pth"),
)
