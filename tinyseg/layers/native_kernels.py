"""When layers compute by a native kernel, and what they say when it fails."""

from typing import Any

import torch
from torch import Tensor, nn

from tinyseg import native
from tinyseg.errors import TinysegError
from tinyseg.scan.exporting import current_form


def is_recorded() -> bool:
    """Whether a network is traced, compiled, exported or counted now.

    Whoever does so would not see what a kernel does to memory.
    """
    traced = torch.compiler.is_compiling() or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    return traced or current_form() != "eager"


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


def wants_gradient(*tensors: Tensor | None) -> bool:
    """Whether autograd would record an operation on these."""
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)


def address(tensor: Tensor | None) -> int:
    """Where a tensor begins, 0 for None."""
    return 0 if tensor is None else tensor.data_ptr()


def call(function: Any, *arguments: Any) -> None:
    """Calls a kernel that gives back 0, or another number where memory is short.

    Raises:
        TinysegError: memory is short.
    """
    if function(*arguments):
        raise TinysegError("A native kernel found no memory.", "Use smaller batches or pictures.")
