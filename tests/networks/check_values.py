"""Inputs and weights that anybody can make again without a file: sines in float64."""

import math

import torch
from torch import Tensor, nn


def fill(module: nn.Module) -> nn.Module:
    """Gives every trainable parameter values that depend on its name's rank and its index."""
    module = module.double().eval()
    parameters = dict(module.named_parameters())
    for rank, name in enumerate(sorted(parameters)):
        parameter = parameters[name]
        index = torch.arange(parameter.numel(), dtype=torch.float64)
        s = torch.sin(0.7 * index + 1.3 * rank).reshape(parameter.shape)
        if name.endswith("A_log"):
            values = torch.log(torch.arange(1.0, parameter.shape[-1] + 1).double()) + 0.01 * s
        elif parameter.dim() == 1 and name.endswith("weight"):
            values = 1 + 0.1 * s
        elif parameter.dim() == 1:
            values = 0.1 * s
        else:
            values = s / math.sqrt(parameter.numel() / parameter.shape[0])
        with torch.no_grad():
            parameter.copy_(values)
    return module


def picture(size: int = 64) -> Tensor:
    """1 x 3 x size x size in [0, 1]."""
    h = torch.arange(size, dtype=torch.float64)[:, None]
    w = torch.arange(size, dtype=torch.float64)[None, :]
    return torch.stack(
        [0.5 + 0.5 * torch.sin(0.11 * h + 0.23 * w * (c + 1) + c) for c in range(3)]
    )[None]


def wave(*shape: int) -> Tensor:
    """sin(0.3 x flat index)."""
    return torch.sin(0.3 * torch.arange(math.prod(shape), dtype=torch.float64)).reshape(shape)
