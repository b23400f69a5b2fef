"""Which input sizes a network takes."""

import torch
from torch import Tensor

from tinyseg.errors import UsageError


def require_multiple(network: str, x: Tensor, multiple: int) -> None:
    """Refuses pictures whose sides a network cannot halve often enough.

    Raises:
        UsageError: a side of x (batch, channels, height, width) is no multiple.
    """
    if torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]  (sizes are tensors)
        return
    height, width = x.shape[2:]
    if height % multiple or width % multiple:
        below = max(height // multiple, 1) * multiple
        raise UsageError(
            f"{network} takes pictures whose sides are multiples of {multiple}, "
            f"not {height}x{width}.",
            f"Try a size of {below} or {below + multiple}.",
        )
