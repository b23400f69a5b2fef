"""What is said of a tensor that a scan cannot take."""

import torch
from torch import Tensor

from tinyseg.errors import UsageError

_TYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def check_floating(name: str, tensor: Tensor) -> None:
    """Raises UsageError unless a tensor has a type that scans are computed of."""
    if tensor.dtype not in _TYPES:
        known = "float32, float64, float16 or bfloat16"
        raise UsageError(f"{name} should be {known}, not {_type(tensor)}.")


def check_like(
    name: str, tensor: Tensor, shape: tuple[int, ...], first_name: str, first: Tensor
) -> None:
    """Raises UsageError unless a tensor has the shape, and goes with the first tensor.

    Half types go with float32, because both are computed in float32; float64 goes with itself only.
    """
    if tensor.shape != shape:
        raise UsageError(f"{name} should have the shape {tuple(shape)}, not {tuple(tensor.shape)}.")
    if tensor.dtype != first.dtype:
        check_floating(name, tensor)
        if torch.float64 in (tensor.dtype, first.dtype):
            wanted = "float64" if first.dtype == torch.float64 else "float32 or a half type"
            raise UsageError(
                f"{name} should be {wanted} because {first_name} is {_type(first)}, "
                f"not {_type(tensor)}."
            )
    if tensor.device != first.device:
        raise UsageError(
            f"{name} should be on {first.device} as {first_name} is, not on {tensor.device}."
        )


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
