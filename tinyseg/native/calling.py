"""What the wrappers of kernels share when they pass tensors; knows no torch either."""

from typing import TYPE_CHECKING, Any

from tinyseg.errors import TinysegError

if TYPE_CHECKING:
    from torch import Tensor


def call(function: Any, *arguments: Any) -> None:
    """Calls a kernel that gives back 0, or another number where memory is short.

    Raises:
        TinysegError: memory is short.
    """
    if function(*arguments):
        raise TinysegError("A native kernel found no memory.", "Use smaller batches or pictures.")


def address(tensor: "Tensor | None") -> int:
    """Where a tensor begins, 0 for None."""
    return 0 if tensor is None else tensor.data_ptr()


def rows(tensor: "Tensor") -> "Tensor":
    """The same without gaps in its last dimension, a copy only where there are some."""
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def whole(tensor: "Tensor | None") -> "Tensor | None":
    """The same without any gaps, a copy only where there are some."""
    return None if tensor is None else tensor.contiguous()
