"""SegViT (Zhang et al. 2022, arXiv:2210.05844): masks from the attention of class queries.

Differences from the original, all on purpose. It predicts, for every class, the sum over queries
of the softmax probability of the class times the sigmoid of the query's mask. Here the query of a
class speaks for that class alone, as the original's training assigns them, so that what it predicts
stays a probability; and `SegViT` gives its logit, so that per-pixel losses, sigmoid and softmax
apply as to other networks. With one class, the sigmoid of the logits is the original's prediction.
Levels have no losses of their own, and the encoder is small and not pretrained.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinyseg.errors import UsageError
from tinyseg.layers import AttentionToMask, ToPicture, transformer_block
from tinyseg.networks.registry import Network
from tinyseg.networks.segmentation import SegmentationNetwork

_PATCH = 16
_EXPANSION = 4
_EPS = 1e-6  # of the encoder's norms


class SegViT(SegmentationNetwork):
    """A plain vision transformer whose patches are asked for every class.

    Args:
        in_channels: channels of a picture.
        classes: channels of the logits.
        size: side of the pictures that positions are learnt for; they are resized for others.
        width: features of a patch; the decoder has half of them.
        depth: blocks of the encoder.
        heads: of all attention.
        levels: the encoder's blocks that the decoder asks, counted from 0, shallowest first.
        decoder_depth: layers that ask one level.
        dropout: of the decoder, in training.

    Raises:
        UsageError: arguments that do not fit.
    """

    multiple = _PATCH

    def __init__(
        self,
        in_channels: int = 3,
        classes: int = 1,
        size: int = 256,
        width: int = 192,
        depth: int = 12,
        heads: int = 3,
        levels: Sequence[int] = (5, 7, 11),
        decoder_depth: int = 3,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if size < 1 or size % _PATCH:
            raise UsageError(f"size should be a multiple of {_PATCH}, not {size}.")
        if heads < 1:
            raise UsageError(f"heads should be at least 1, not {heads}.")
        if width < 1 or width % (2 * heads):
            raise UsageError(f"width should be a multiple of twice {heads} heads, not {width}.")
        if list(levels) != sorted(set(levels)) or min(levels, default=-1) < 0:
            raise UsageError(f"levels should be blocks in rising order, not {list(levels)}.")
        if levels[-1] != depth - 1:
            raise UsageError(
                f"The last of levels should be the last of {depth} blocks, {depth - 1}, "
                f"not {levels[-1]}."
            )
        if decoder_depth < 1:
            raise UsageError(f"decoder_depth should be at least 1, not {decoder_depth}.")
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout should be at least 0 and below 1, not {dropout}.")
        self.encoder = _Encoder(in_channels, size // _PATCH, width, depth, heads, levels)
        self.decoder = AttentionToMask(
            classes, width, width // 2, heads, len(levels), decoder_depth, dropout
        )
        self.to_picture = ToPicture()
        # Kept, since TFLite has no operator that makes it.
        own = torch.eye(classes, classes + 1, dtype=torch.bool)
        self.register_buffer("_own", own, persistent=False)

    def logits(self, x: Tensor) -> Tensor:
        """See `SegmentationNetwork.logits`."""
        height, width = x.shape[2:]
        masks, classes = self.decoder(self.encoder(x))
        masks = masks.unflatten(2, (height // _PATCH, width // _PATCH))
        return _logit_of_product(self.to_picture(masks, (height, width)), self._own_logit(classes))

    def _own_logit(self, classes: Tensor) -> Tensor:
        """Logit of each query's softmax probability of its own class.

        Maps (batch, queries, queries + 1), "no object" last, to (batch, queries).
        """
        own = self.get_buffer("_own")
        others = classes.masked_fill(own, -torch.inf).logsumexp(-1)
        return (classes * own).sum(-1) - others


def _logit_of_product(masks: Tensor, classes: Tensor) -> Tensor:
    """Logit of sigmoid(masks) sigmoid(classes), (batch, classes, height, width)."""
    present = classes[..., None, None]
    return masks - F.softplus(-present) - F.softplus(masks - F.softplus(present))


class _Encoder(nn.Module):
    """Maps a picture to features (batch, patches, width) of some blocks, deepest first."""

    def __init__(
        self,
        in_channels: int,
        side: int,
        width: int,
        depth: int,
        heads: int,
        levels: Sequence[int],
    ) -> None:
        super().__init__()
        self.levels = tuple(levels)
        self.patches = nn.Conv2d(in_channels, width, _PATCH, _PATCH)
        self.position = nn.Parameter(torch.empty(1, width, side, side))
        inner = _EXPANSION * width
        blocks = (transformer_block(width, heads, inner, eps=_EPS) for _ in range(depth))
        self.blocks = nn.ModuleList(blocks)
        nn.init.trunc_normal_(self.position, std=0.02)
        for module in self.blocks.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.patches(x)
        position, grid = self.position, x.shape[2:]
        if grid != position.shape[2:]:
            position = F.interpolate(position, grid, mode="bilinear", align_corners=False)
        x = (x + position).flatten(2).transpose(1, 2)
        features: list[Tensor] = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in self.levels:
                features.insert(0, x)
        return features


SEGVIT = Network(SegViT, family="SegViT")
