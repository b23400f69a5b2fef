"""The rival of a whole network: parallel vision Mamba as published, on mambapy's block."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from tinyseg.errors import MissingExtraError
from tinyseg.layers import ParallelVisionMamba


class PublishedMixing(nn.Module):
    """A parallel vision Mamba layer that calls its Mamba once for each branch.

    Args:
        layer: whose weights it starts with; results are the same.
    """

    def __init__(self, layer: ParallelVisionMamba) -> None:
        super().__init__()
        self.branches = layer.branches
        self.norm = deepcopy(layer.norm)
        self.mamba = _mambapy_block(layer.mamba.in_proj.in_features)
        self.proj = deepcopy(layer.proj)
        self.skip_scale = nn.Parameter(torch.ones(1))
        self.load_state_dict(layer.state_dict())

    def forward(self, x: Tensor) -> Tensor:
        """Maps (batch, channels, height, width) to (batch, channels of proj, height, width)."""
        tokens = self.norm(x.flatten(2).transpose(1, 2))
        parts = tokens.chunk(self.branches, dim=2)
        mixed = torch.cat([self.mamba(part) + self.skip_scale * part for part in parts], dim=2)
        out = self.proj(self.norm(mixed)).transpose(1, 2)
        return out.reshape(x.shape[0], -1, *x.shape[2:])


def as_published(network: nn.Module) -> nn.Module:
    """Gives a network mambapy's blocks and PyTorch's own layers, in place; the weights stay.

    Raises:
        MissingExtraError: mambapy is not installed.
    """
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, ParallelVisionMamba):
                setattr(parent, name, PublishedMixing(child))
            elif isinstance(child, nn.GroupNorm) and type(child) is not nn.GroupNorm:
                plain = nn.GroupNorm(child.num_groups, child.num_channels, child.eps)
                plain.load_state_dict(child.state_dict())
                setattr(parent, name, plain)
    return network


def _mambapy_block(width: int) -> nn.Module:
    try:
        from mambapy.mamba import MambaBlock, MambaConfig
    except ImportError:
        raise MissingExtraError("The benchmark", "mambapy", "bench") from None
    return MambaBlock(MambaConfig(d_model=width, n_layers=1))
