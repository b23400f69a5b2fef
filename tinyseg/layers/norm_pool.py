"""Group norm followed by a max-pool, in one where a kernel computes it."""

import torch.nn.functional as F
from torch import Tensor, nn

from tinyseg.layers.group_norm import GroupNorm


def norm_max_pool(x: Tensor, norm: nn.GroupNorm) -> Tensor:
    """Of every 2x2 pixels of ``norm(x)`` the largest.

    A kernel computes both where `GroupNorm` would use its own. It neither keeps nor writes what is
    normed, and does not call ``norm``: hooks of that are not run. Otherwise PyTorch's pool follows.

    Args:
        x: (batch, channels, height, width); a last odd row or column is normed, then left out.
        norm: with a kernel where it is a `GroupNorm`.

    Returns:
        (batch, channels, height // 2, width // 2).
    """
    # PyTorch refuses what leaves no pixel.
    if type(norm) is GroupNorm and norm.suits_kernel(x) and min(x.shape[2:]) > 1:
        return norm.by_kernel(x, pooled=True)
    return F.max_pool2d(norm(x), 2)
