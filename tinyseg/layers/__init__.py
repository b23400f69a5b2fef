"""Layers that networks share."""

from tinyseg.layers.attention import Attention
from tinyseg.layers.attention_bridge import AttentionBridge
from tinyseg.layers.attention_to_mask import AttentionToMask
from tinyseg.layers.channel_norm import ChannelNorm
from tinyseg.layers.group_norm import GroupNorm
from tinyseg.layers.mamba import Mamba
from tinyseg.layers.mamba_block import MambaBlock
from tinyseg.layers.mixers import Mixer, make_mixer
from tinyseg.layers.norm_pool import norm_max_pool
from tinyseg.layers.parallel_vision_mamba import ParallelVisionMamba
from tinyseg.layers.patch_embedding import PatchEmbedding
from tinyseg.layers.pyramid_pooling import PyramidPooling
from tinyseg.layers.residual import Residual
from tinyseg.layers.to_picture import ToPicture
from tinyseg.layers.transformer_block import transformer_block

__all__ = [
    "Attention",
    "AttentionBridge",
    "AttentionToMask",
    "ChannelNorm",
    "GroupNorm",
    "Mamba",
    "MambaBlock",
    "Mixer",
    "ParallelVisionMamba",
    "PatchEmbedding",
    "PyramidPooling",
    "Residual",
    "ToPicture",
    "make_mixer",
    "norm_max_pool",
    "transformer_block",
]
