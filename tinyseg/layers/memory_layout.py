"""In which order a batch of pictures lies in memory."""

import torch
from torch import Tensor


def in_fast_layout(images: Tensor) -> Tensor:
    """The same batch (batch, channels, height, width) in the layout that networks run fastest in.

    The rule: channels innermost (PyTorch's ``channels_last``) on the processor, where
    ``python -m benchmarks.training`` compares both; PyTorch's own layout elsewhere. Layers keep the
    layout of what they are given, so that it is decided here alone.
    """
    if images.device.type == "cpu":
        return images.contiguous(memory_format=torch.channels_last)
    return images.contiguous()


def in_layout_of(other: Tensor, maps: Tensor) -> Tensor:
    """The same maps with channels innermost where those of ``other`` are.

    For what was joined from maps of one channel each, which have no layout that could be kept.
    """
    if other.is_contiguous(memory_format=torch.channels_last):
        return maps.contiguous(memory_format=torch.channels_last)
    return maps
