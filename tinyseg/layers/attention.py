"""Attention with several heads."""

import math

from torch import Tensor, nn

from tinyseg.errors import UsageError


class Attention(nn.Module):
    """Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762).

    Its products are written out: counters see none inside a fused attention operator, and
    `scored` needs the scores.

    Args:
        width: features of a token.
        heads: parts of the features that attend for themselves.
        dropout: of the attention weights, in training.
        head_width: features of a head; by default the heads share the token's.
        bias: whether queries, keys and values have one.

    Raises:
        UsageError: heads that do not divide the width, where they share it.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        dropout: float = 0.0,
        *,
        head_width: int | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if width < 1 or heads < 1 or (head_width is None and width % heads):
            raise UsageError(f"heads should divide a width of {width}, which {heads} does not.")
        inner = heads * head_width if head_width else width
        self.heads = heads
        self.query = nn.Linear(width, inner, bias)
        self.key = nn.Linear(width, inner, bias)
        self.value = nn.Linear(width, inner, bias)
        self.projection = nn.Linear(inner, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Maps (batch, queries, width), looking at itself or (batch, tokens, width), to its shape.

        Args:
            x: what queries are made of.
            context: what keys and values are made of; ``x`` without it.
        """
        return self.scored(x, context)[0]

    def scored(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """As the call, with the scaled scores before softmax: (batch, heads, queries, tokens)."""
        context = x if context is None else context
        query, key, value = (
            layer(tokens).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, tokens in ((self.query, x), (self.key, context), (self.value, context))
        )
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        mixed = self.dropout(scores.softmax(-1)) @ value
        return self.projection(mixed.transpose(1, 2).flatten(2)), scores
