"""What tests of norms draw, run, and compare with: their definition in double precision."""

import torch
import torch.nn.functional as F
from torch import Tensor


def draw(batch, channels, height, width, mean=0.0) -> list[Tensor]:
    """x, weight, bias and the gradient of y."""
    generator = torch.Generator().manual_seed(0)
    shape = (batch, channels, height, width)
    x, grad_y = (torch.randn(*shape, generator=generator) for _ in range(2))
    weight, bias = (torch.randn(channels, generator=generator) for _ in range(2))
    last = torch.channels_last
    x, grad_y = (x + mean).contiguous(memory_format=last), grad_y.contiguous(memory_format=last)
    return [x, weight, bias, grad_y]


def outcome(function, x, weight, bias, grad_y, groups) -> list[Tensor]:
    """y and the gradients of x and, if there are any, weight and bias."""
    leaves = [None if t is None else t.detach().clone().requires_grad_() for t in (x, weight, bias)]
    y = function(leaves[0], groups, *leaves[1:])
    y.backward(grad_y)
    return [y.detach(), *(leaf.grad for leaf in leaves if leaf is not None)]


def in_double(function, x, weight, bias, grad_y, groups) -> list[Tensor]:
    """The outcome of the same in double precision."""
    given = (None if t is None else t.double() for t in (x, weight, bias, grad_y))
    return outcome(function, *given, groups)


def worst(found: list[Tensor], exact: list[Tensor]) -> list[float]:
    """Of each tensor the largest error, over the largest entry."""
    return [
        ((a - b).abs().max() / b.abs().max().clamp(min=1e-6)).item()
        for a, b in zip(found, exact, strict=True)
    ]


def in_two_passes(x: Tensor, groups: int, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """The definition; PyTorch's own operator loses digits to a large mean in any precision."""
    rows = x.reshape(x.shape[0], groups, -1)
    rows = rows - rows.mean(2, keepdim=True)
    y = (rows / torch.sqrt(rows.square().mean(2, keepdim=True) + 1e-5)).view_as(x)
    y = y if weight is None else y * weight.view(-1, 1, 1)
    return y if bias is None else y + bias.view(-1, 1, 1)


def then_pooled(x: Tensor, *others) -> Tensor:
    """Of every 2x2 pixels of it the largest."""
    return F.max_pool2d(in_two_passes(x, *others), 2)
