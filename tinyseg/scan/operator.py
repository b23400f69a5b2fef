"""The scan as one opaque operator, so that whoever traces a network sees it whole."""

from typing import cast

import torch
from torch import Tensor

from tinyseg.scan.chunked import chunked_scan

#: Name of the operator in a traced graph.
NAME = "tinyseg::selective_scan"


@torch.library.custom_op(NAME, mutates_args=())
def _operator(x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    return chunked_scan(x, delta, A, B, C)[0]


@_operator.register_fake
def _(x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def scan_as_operator(x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """Forward only; shapes as in `reference_scan`, B and C variable in time."""
    return cast(Tensor, _operator(x, delta, A, B, C))
