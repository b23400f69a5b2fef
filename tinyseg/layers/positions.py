"""Learnt positions of tokens on a grid, and a class token among them."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def add_positions(tokens: Tensor, positions: Tensor) -> Tensor:
    """Adds a learnt position to every token, stretched where the grid has another size.

    Args:
        tokens: (batch, height, width, features).
        positions: (1, places, features), of a square grid in row-major order.

    Returns:
        The shape of the tokens.
    """
    side = math.isqrt(int(positions.shape[1]))
    size = [int(length) for length in tokens.shape[1:3]]
    grid = positions.unflatten(1, (side, side))
    if size != [side, side]:
        maps = grid.movedim(-1, 1)
        grid = F.interpolate(maps, size=size, mode="bicubic", align_corners=False).movedim(1, -1)
    return tokens + grid


def with_class_token(
    tokens: Tensor, class_token: Tensor, positions: Tensor, *, middle: bool = False
) -> tuple[Tensor, int]:
    """Adds positions to tokens and a class token, and lines them up.

    Args:
        tokens: (batch, height, width, features).
        class_token: (1, 1, features).
        positions: (1, places + 1, features); the class token's is where it stands among them.
        middle: whether the class token stands before the second half of the others, not first.

    Returns:
        (batch, height x width + 1, features) and the class token's index.
    """
    index = int(positions.shape[1]) // 2 if middle else 0
    before, own, after = positions.tensor_split([index, index + 1], 1)
    line = add_positions(tokens, torch.cat([before, after], 1)).flatten(1, 2)
    index = int(line.shape[1]) // 2 if middle else 0
    token = (class_token + own).expand(line.shape[0], -1, -1)
    return torch.cat([line[:, :index], token, line[:, index:]], 1), index
