"""Vision Transformer (Dosovitskiy et al. 2020, arXiv:2010.11929), as the paper's code has it.

That is vit-pytorch's form: layer norms before and after the projection of patches, a class token
in front, heads of 64 features whatever the width, projections of queries, keys and values without
bias. Positions and the class token start near 0.02, not near 1 as in vit-pytorch.
"""

import torch
from torch import Tensor, nn

from tinyseg.errors import UsageError
from tinyseg.layers import transformer_block
from tinyseg.layers.patch_embedding import check_sides, check_size
from tinyseg.layers.positions import with_class_token
from tinyseg.networks.registry import Network


class ViT(nn.Module):
    """A stack of transformer blocks over the patches of a picture and a class token.

    Args:
        in_channels: channels of a picture.
        classes: how many classes there are.
        size: side of the pictures that positions are learnt for; others get them stretched.
        patch: side of a patch.
        width: features of a token.
        depth: blocks.
        heads: of the attention.
        head_width: features of a head.
        mlp_width: inner features of the perceptron of a block.

    Raises:
        UsageError: sizes below 1 or that do not fit together; sides of a picture that patches do
            not fill.
    """

    def __init__(
        self,
        in_channels: int = 3,
        classes: int = 100,
        size: int = 32,
        patch: int = 4,
        width: int = 168,
        depth: int = 8,
        heads: int = 4,
        head_width: int = 64,
        mlp_width: int = 128,
    ) -> None:
        super().__init__()
        if min(width, depth, heads, head_width, mlp_width) < 1:
            raise UsageError(
                "width, depth, heads, head_width and mlp_width should be at least 1, "
                f"not {width}, {depth}, {heads}, {head_width} and {mlp_width}."
            )
        places, values = check_size(size, patch) ** 2 + 1, in_channels * patch**2
        self.patch = patch
        self.patch_embed = nn.Sequential(
            nn.LayerNorm(values), nn.Linear(values, width), nn.LayerNorm(width)
        )
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.pos_embed = nn.Parameter(torch.empty(1, places, width))
        for parameter in (self.cls_token, self.pos_embed):
            nn.init.trunc_normal_(parameter, std=0.02)
        self.blocks = nn.Sequential(
            *(
                transformer_block(width, heads, mlp_width, head_width=head_width, bias=False)
                for _ in range(depth)
            )
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (batch, in_channels, height, width) to logits (batch, classes)."""
        tokens = self.patch_embed(_patches(x, self.patch))
        tokens, index = with_class_token(tokens, self.cls_token, self.pos_embed)
        return self.head(self.norm(self.blocks(tokens))[:, index])


def _patches(x: Tensor, patch: int) -> Tensor:
    """(batch, channels, height, width) to (batch, rows, columns, values of a patch)."""
    check_sides(x, patch)
    cut = x.unflatten(2, (-1, patch)).unflatten(4, (-1, patch))
    return cut.permute(0, 2, 4, 3, 5, 1).flatten(3)


VIT = Network(
    ViT,
    family="ViT",
    task="classification",
    size=32,
    classes=100,
    note="1,751,186 parameters for 10 classes here, 1,767,602 in the paper: those are of patches "
    "of 8, where its code has patches of 4.",
)
