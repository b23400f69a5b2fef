"""Layers that networks share."""

from tinyseg.layers.attention_bridge import AttentionBridge
from tinyseg.layers.group_norm import GroupNorm
from tinyseg.layers.mamba import Mamba
from tinyseg.layers.mamba_block import MambaBlock
from tinyseg.layers.norm_pool import norm_max_pool
from tinyseg.layers.parallel_vision_mamba import ParallelVisionMamba

__all__ = [
    "AttentionBridge",
    "GroupNorm",
    "Mamba",
    "MambaBlock",
    "ParallelVisionMamba",
    "norm_max_pool",
]
