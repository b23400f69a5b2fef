"""The scan as one opaque operator, so that whoever traces or compiles a network sees it whole."""

from typing import Any

import torch
from torch import Tensor

from tinyseg.scan.arguments import Arguments
from tinyseg.scan.backend import Kernel

#: Name of the operator in a traced graph.
NAME = "tinyseg::selective_scan"

_kernels: dict[str, Kernel] = {}


def scan_as_operator(kernel: Kernel, arguments: Arguments) -> Tensor:
    """y, by an operator whose backward is an operator too.

    Args:
        kernel: what computes it when the operator runs.
        arguments: B and C variable in time.
    """
    _kernels[kernel.name] = kernel
    return _forward(*arguments, kernel.name)[0]  # pyright: ignore[reportIndexIssue, reportReturnType]


@torch.library.custom_op(NAME, mutates_args=())
def _forward(
    x: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    z: Tensor | None,
    delta_bias: Tensor | None,
    delta_softplus: bool,
    discretisation: str,
    kernel: str,
) -> tuple[Tensor, Tensor]:
    arguments = Arguments(x, delta, A, B, C, D, z, delta_bias, delta_softplus, discretisation)  # pyright: ignore[reportArgumentType]
    y, _, starts = _kernels[kernel].forward(arguments, keep_starts=True)
    return y, starts


@_forward.register_fake
def _(*values: Any) -> tuple[Tensor, Tensor]:
    arguments = Arguments(*values[:-1])
    x = arguments.x
    return x.new_empty(x.shape), x.new_empty(_kernels[values[-1]].starts_shape(arguments))


@torch.library.custom_op(f"{NAME}_backward", mutates_args=())
def _backward(
    x: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    z: Tensor | None,
    delta_bias: Tensor | None,
    delta_softplus: bool,
    discretisation: str,
    kernel: str,
    starts: Tensor,
    grad_y: Tensor,
) -> list[Tensor]:
    arguments = Arguments(x, delta, A, B, C, D, z, delta_bias, delta_softplus, discretisation)  # pyright: ignore[reportArgumentType]
    gradients = _kernels[kernel].backward(arguments, starts, grad_y)
    return [gradient for gradient in gradients if gradient is not None]


@_backward.register_fake
def _(*values: Any) -> list[Tensor]:
    return [tensor.new_empty(tensor.shape) for tensor in values[:8] if tensor is not None]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs[:8], output[1])
    ctx.rest = inputs[8:]


def _differentiate(ctx: Any, grad_y: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    *tensors, starts = ctx.saved_tensors
    gradients: Any = _backward(*tensors, *ctx.rest, starts, grad_y)
    of_given = iter(gradients)
    return *(None if t is None else next(of_given) for t in tensors), None, None, None


_forward.register_autograd(_differentiate, setup_context=_keep)
