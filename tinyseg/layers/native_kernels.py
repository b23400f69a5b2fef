"""When layers compute by a native kernel."""

import torch
from torch import Tensor, nn

from tinyseg import native
from tinyseg.scan.exporting import current_form, is_traced


def is_recorded() -> bool:
    """Whether a network is traced, compiled, exported or counted now.

    Whoever does so would not see what a kernel does to memory.
    """
    return is_traced() or current_form() != "eager"


def may_use_native(*tensors: Tensor | None) -> bool:
    """Whether native kernels exist, can read these tensors, and nobody records operations.

    Args:
        tensors: float32 on the processor is what kernels read; None is left out.
    """
    if is_recorded() or native.library() is None:
        return False
    return all(_readable(tensor) for tensor in tensors if tensor is not None)


def _readable(tensor: Tensor) -> bool:
    # Subclasses, such as tensors without data, may have nothing at their address.
    plain = type(tensor) is Tensor or type(tensor) is nn.Parameter
    return plain and tensor.is_cpu and tensor.dtype == torch.float32
