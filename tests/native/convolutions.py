"""What tests of the causal convolution draw, run, and compare with."""

import torch
import torch.nn.functional as F
from torch import Tensor


def draw(batch, length, channels, taps) -> list[Tensor]:
    """x, weight, bias and the gradient of y; SiLU's arguments reach from about -10 to 10."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((batch, length, channels), (channels, 1, taps), (channels,))
    x, weight, bias, grad_y = (torch.randn(*s, generator=generator) for s in (*shapes, shapes[0]))
    return [3 * x, weight, bias, grad_y]


def by_hand(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    taps, length = weight.shape[2], x.shape[1]
    padded = F.pad(x, (0, 0, taps - 1, 0))
    y = sum(weight[:, 0, j] * padded[:, j : j + length] for j in range(taps))
    return F.silu(y if bias is None else y + bias)


def outcome(function, x, weight, bias, grad_y) -> list[Tensor]:
    """y and the gradients of x, weight and, if there is one, bias."""
    leaves = [t for t in (x, weight, bias) if t is not None]
    leaves = [t.detach().requires_grad_() for t in leaves]
    y = function(*leaves, *([None] if bias is None else []))
    return [y.detach(), *torch.autograd.grad(y, leaves, grad_y)]
