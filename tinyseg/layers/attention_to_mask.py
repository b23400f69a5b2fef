"""The decoder of SegViT: masks from the attention of class queries."""

import torch
from torch import Tensor, nn

from tinyseg.layers.attention import Attention

_EXPANSION = 4


class AttentionToMask(nn.Module):
    """Asks levels of features for every class; what each query attends to is its class's mask.

    After Zhang et al. 2022 (arXiv:2210.05844): masks are the scores of the attention before
    softmax, averaged over heads and summed over levels.

    Args:
        classes: as many queries.
        width: features of a patch.
        inner: features of a query; heads divide them.
        heads: of all attention.
        levels: how many levels are asked.
        depth: layers that ask one level.
        dropout: in training.

    Raises:
        UsageError: heads that do not divide the inner width.
    """

    def __init__(
        self,
        classes: int,
        width: int,
        inner: int,
        heads: int,
        levels: int = 3,
        depth: int = 3,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(classes, inner))
        self.levels = nn.ModuleList(
            _Level(width, inner, heads, depth, dropout) for _ in range(levels)
        )
        self.classify = nn.Linear(inner, classes + 1)

    def forward(self, levels: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Maps levels, each (batch, patches, width), to masks and class logits.

        Returns:
            Mask logits (batch, classes, patches), and each query's class logits (batch, classes,
            classes + 1), the last for "no object".
        """
        queries = self.queries.expand(len(levels[0]), -1, -1)
        masks: list[Tensor] = []
        for ask, patches in zip(self.levels, levels, strict=True):
            queries, mask = ask(queries, patches)
            masks.append(mask)
        return torch.stack(masks).sum(0), self.classify(queries)


class _Level(nn.Module):
    def __init__(self, width: int, inner: int, heads: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(width, inner), nn.LayerNorm(inner))
        self.layers = nn.ModuleList(_Layer(inner, heads, dropout) for _ in range(depth))

    def forward(self, queries: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        patches = self.project(patches)
        *first, last = self.layers
        for layer in first:
            queries, _ = layer(queries, patches)
        return last(queries, patches)


class _Layer(nn.Module):
    """Queries look at each other, then at the patches."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.among = Attention(width, heads, dropout)
        self.norm1 = nn.LayerNorm(width)
        self.across = Attention(width, heads, dropout)
        self.norm2 = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, _EXPANSION * width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(_EXPANSION * width, width),
        )
        self.norm3 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        queries = self.norm1(queries + self.dropout(self.among(queries)))
        seen, scores = self.across.scored(queries, patches)
        queries = self.norm2(queries + self.dropout(seen))
        queries = self.norm3(queries + self.dropout(self.feed_forward(queries)))
        return queries, scores.mean(1)
