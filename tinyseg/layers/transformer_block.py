"""The block of a vision transformer."""

from torch import nn

from tinyseg.layers.attention import Attention
from tinyseg.layers.residual import Residual


def transformer_block(
    width: int,
    heads: int,
    inner: int,
    *,
    head_width: int | None = None,
    bias: bool = True,
    eps: float = 1e-5,
) -> nn.Sequential:
    """Attention, then two linear layers, each on normalised tokens and added to them.

    As in Dosovitskiy et al. 2020 (arXiv:2010.11929, equations 2 and 3), over (batch, tokens,
    width).

    Args:
        width: features of a token.
        heads: of the attention.
        inner: features between the two linear layers.
        head_width: see `Attention`.
        bias: see `Attention`.
        eps: of both norms.

    Raises:
        UsageError: as `Attention`.
    """
    attention = Attention(width, heads, head_width=head_width, bias=bias)
    mix = (nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))
    return nn.Sequential(
        Residual(nn.Sequential(nn.LayerNorm(width, eps), attention)),
        Residual(nn.Sequential(nn.LayerNorm(width, eps), *mix)),
    )
