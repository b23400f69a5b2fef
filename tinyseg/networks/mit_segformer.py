"""SegFormer on Mix Transformers (Xie et al. 2021, arXiv:2105.15203), as published.

Difference from the original, on purpose: logits come at the picture's size, not at a quarter of it.
Features are (batch, height, width, channels) inside.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinyseg.errors import UsageError
from tinyseg.layers import Attention, Residual, ToPicture
from tinyseg.networks.registry import Network
from tinyseg.networks.segformer_stages import PATCHES, STRIDES, check_stages
from tinyseg.networks.segmentation import SegmentationNetwork

_EXPANSION = 4
_EPS = 1e-6  # of the norms of blocks and stages; the others have PyTorch's


class MiTSegFormer(SegmentationNetwork):
    """Four stages of attention over pixels, and a decoder that is linear but for one ReLU.

    The defaults are B0's. The encoder starts as published, the decoder as PyTorch's layers do.

    Args:
        in_channels: channels of a picture.
        classes: channels of the logits.
        widths: channels of each stage, finest first.
        depths: blocks of each stage.
        heads: of the attention of each stage.
        reductions: each stage attends to a grid so many times coarser.
        decoder_width: channels that every stage is projected to.
        drop_path: the share of pictures without the last block; it grows from 0 at the first.
        dropout: the share of channels that the decoder goes without, in training.

    Raises:
        UsageError: arguments that do not fit.
    """

    multiple = 32

    def __init__(
        self,
        in_channels: int = 3,
        classes: int = 1,
        widths: Sequence[int] = (32, 64, 160, 256),
        depths: Sequence[int] = (2, 2, 2, 2),
        heads: Sequence[int] = (1, 2, 5, 8),
        reductions: Sequence[int] = (8, 4, 2, 1),
        decoder_width: int = 256,
        drop_path: float = 0.1,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        check_stages(widths, depths, heads, reductions, decoder_width)
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout should be at least 0 and below 1, not {dropout}.")
        last = sum(depths) - 1
        drops = (drop_path * number / last for number in range(last + 1))
        stages = zip(
            pairwise((in_channels, *widths)), PATCHES, STRIDES, depths, heads, reductions,
            strict=True,
        )  # fmt: skip
        self.encoder = nn.ModuleList(
            _Stage(before, width, patch, stride, [next(drops) for _ in range(depth)], *rest)
            for (before, width), patch, stride, depth, *rest in stages
        )
        self.decoder = _Decoder(widths, decoder_width, dropout, classes)
        self.to_picture = ToPicture()
        for module in self.encoder.modules():
            _initialise(module)

    def coarse_logits(self, x: Tensor) -> Tensor:
        """Maps (batch, in_channels, height, width) to logits at a quarter of the side."""
        x, features = x.permute(0, 2, 3, 1), list[Tensor]()
        for stage in self.encoder:
            x = stage(x)
            features.append(x)
        return self.decoder(features)

    def logits(self, x: Tensor) -> Tensor:
        """See `SegmentationNetwork.logits`."""
        return self.to_picture(self.coarse_logits(x), x.shape[2:])


class _Conv(nn.Conv2d):
    """A convolution of features with channels last."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class _Stage(nn.Sequential):
    def __init__(
        self,
        before: int,
        width: int,
        patch: int,
        stride: int,
        drop_paths: Sequence[float],
        heads: int,
        reduction: int,
    ) -> None:
        super().__init__()
        self.patches = nn.Sequential(
            _Conv(before, width, patch, stride, patch // 2), nn.LayerNorm(width)
        )
        self.blocks = nn.Sequential(
            *(_block(width, heads, reduction, drop_path) for drop_path in drop_paths)
        )
        self.norm = nn.LayerNorm(width, _EPS)


def _block(width: int, heads: int, reduction: int, drop_path: float) -> nn.Sequential:
    wide = _EXPANSION * width
    attend = [nn.LayerNorm(width, _EPS), _ReducedAttention(width, heads, reduction)]
    mix = [
        nn.LayerNorm(width, _EPS),
        nn.Linear(width, wide),
        _Conv(wide, wide, 3, padding=1, groups=wide),
        nn.GELU(),
        nn.Linear(wide, width),
    ]
    return nn.Sequential(
        Residual(nn.Sequential(*attend), drop_path), Residual(nn.Sequential(*mix), drop_path)
    )


class _ReducedAttention(nn.Module):
    """Every pixel attends to a coarser grid."""

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.reduce = nn.Sequential()
        if reduction > 1:
            self.reduce.append(_Conv(width, width, reduction, reduction))
            self.reduce.append(nn.LayerNorm(width))
        self.attention = Attention(width, heads)

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.attention(x.flatten(1, 2), self.reduce(x).flatten(1, 2))
        return mixed.unflatten(1, x.shape[1:3])


class _Decoder(nn.Module):
    """Maps features to logits (batch, classes, h, w) at the size of the finest."""

    def __init__(self, widths: Sequence[int], width: int, dropout: float, classes: int) -> None:
        super().__init__()
        self.project = nn.ModuleList(nn.Linear(before, width) for before in widths)
        self.fuse = nn.Sequential(
            nn.Conv2d(len(widths) * width, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.dropout = nn.Dropout2d(dropout)
        self.predict = nn.Conv2d(width, classes, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        finest, *coarser = (
            project(x).permute(0, 3, 1, 2)
            for project, x in zip(self.project, features, strict=True)
        )
        resized = [
            F.interpolate(x, finest.shape[2:], mode="bilinear", align_corners=False)
            for x in reversed(coarser)
        ]
        return self.predict(self.dropout(self.fuse(torch.cat([*resized, finest], 1))))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        fan_out = math.prod(module.kernel_size) * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        if module.bias is not None:
            nn.init.zeros_(module.bias)


B0 = Network(MiTSegFormer, family="SegFormer")
