"""Layers of a network as ONNX Runtime wants them: few operators, long rows of numbers.

What PyTorch computes does not change but for rounding. Shapes have to be fixed.
"""

import copy
from typing import TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinyseg.exporters.thin_conv import ThinConv, is_thin
from tinyseg.exporters.time_first_mamba import TimeFirstMamba
from tinyseg.layers import Mamba, ParallelVisionMamba
from tinyseg.layers.attention_bridge import ChannelAttention


def time_first(network: nn.Module) -> nn.Module:
    """A copy of a network whose layers are written for loops over time; the original stays."""
    return _replaced(copy.deepcopy(network)).train(network.training)


def _replaced(module: nn.Module) -> nn.Module:
    # Types, not isinstance: a class made of one of these may compute something else.
    if _suits(module):
        return TimeFirstMamba(module)
    if type(module) is ParallelVisionMamba and _suits(module.mamba):
        return TimeFirstVision(module)
    if type(module) is ChannelAttention:
        return MergedAttention(module)
    if type(module) is nn.Conv2d and is_thin(module):
        return ThinConv(module)
    for name, child in module.named_children():
        setattr(module, name, _replaced(child))
    return module


def _suits(module: nn.Module) -> TypeGuard[Mamba]:
    return type(module) is Mamba and module.convolution == "causal" and module.back is None


class TimeFirstVision(nn.Module):
    """`ParallelVisionMamba` around it.

    Channels are put in the order in which the first ones of all branches come first, then the
    second ones: so they lie as the tokens of a batch of branches do, and stay so to the end.
    """

    order: Tensor
    proj: Tensor

    def __init__(self, layer: ParallelVisionMamba) -> None:
        super().__init__()
        self.branches, self.ppm, self.skip_scale = layer.branches, layer.ppm, layer.skip_scale
        self.mamba = TimeFirstMamba(layer.mamba)
        order = torch.arange(layer.proj.in_features).view(self.branches, -1).T.flatten()
        self.register_buffer("order", order)
        self.norm = layer.norm
        with torch.no_grad():
            self.norm.weight.copy_(layer.norm.weight[order])
            self.norm.bias.copy_(layer.norm.bias[order])
        self.register_buffer("proj", layer.proj.weight.detach()[:, order])
        self.bias = layer.proj.bias

    def forward(self, x: Tensor) -> Tensor:
        """Maps (batch, in_channels, height, width) to (batch, out_channels, height, width)."""
        batch, channels, height, width = x.shape
        one = batch == 1
        parts, length = channels // self.branches, height * width
        folded = batch * self.branches
        x = self.ppm(x).index_select(1, self.order).permute(0, 2, 3, 1)
        tokens = self.norm(x).permute(0, 3, 1, 2)
        if not one:
            tokens = tokens.reshape(batch, parts, self.branches, length).transpose(0, 1)
        tokens = tokens.reshape(parts, folded * length)
        residual = self.skip_scale * tokens
        mixed = self.mamba.mixed(tokens, folded, length, height, residual)
        if one:
            out = self.norm(mixed.reshape(channels, length).T).T
            return torch.addmm(self.bias[:, None], self.proj, out).reshape(1, -1, height, width)
        mixed = mixed.reshape(parts, batch, self.branches, length).transpose(0, 1)
        out = self.norm(mixed.reshape(batch, channels, length).transpose(1, 2)).transpose(1, 2)
        out = torch.matmul(self.proj, out) + self.bias[:, None]
        return out.reshape(batch, -1, height, width)


class MergedAttention(nn.Module):
    """`ChannelAttention` with one matrix for the convolution and all scales."""

    weight: Tensor
    bias: Tensor

    def __init__(self, layer: ChannelAttention) -> None:
        super().__init__()
        gates = [part for part in layer.children() if isinstance(part, nn.Linear)]
        self.sizes = [gate.out_features for gate in gates]
        with torch.no_grad():
            weight = torch.cat([gate.weight for gate in gates]).double()
            every = torch.eye(weight.shape[1]).double()
            mixing = layer.get_all_att.double()(every[:, None])[:, 0].T
            layer.get_all_att.float()
            self.register_buffer("weight", (weight @ mixing).float())
            self.register_buffer("bias", torch.cat([gate.bias for gate in gates]))

    def forward(self, skips: list[Tensor]) -> tuple[Tensor, ...]:
        """A factor (batch, channels, 1, 1) for every skip."""
        pooled = torch.cat([F.adaptive_avg_pool2d(skip, 1) for skip in skips], 1).flatten(1)
        gates = torch.sigmoid(F.linear(pooled, self.weight, self.bias))
        return gates[:, :, None, None].split(self.sizes, 1)
