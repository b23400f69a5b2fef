"""The scan as one opaque operator, so that whoever traces or compiles a network sees it whole.

The operator carries the backend's name as it was asked for and chooses when it runs, so that a
saved program also runs on a machine with other backends than the one it was made on.
"""

from typing import Any

import torch
from torch import Tensor

from tinyseg import __version__
from tinyseg.errors import TinysegError
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.backend import Kernel, wants_gradient
from tinyseg.scan.backends import BACKENDS, choose

#: Name of the operator in a traced graph.
NAME = "tinyseg::selective_scan"


def has_operator(arguments: Arguments, backend: str) -> bool:
    """Whether `scan_as_operator` can do this; only backends with a backward of their own can."""
    named = backend == "auto" or isinstance(BACKENDS.get(backend), Kernel)
    return named and arguments.vary_in_time


def scan_as_operator(arguments: Arguments, backend: str) -> tuple[Tensor, Tensor]:
    """Gives y and the last state, by an operator whose backward is an operator too.

    Args:
        arguments: prepared; B and C variable in time.
        backend: ``auto``, or the name of a backend that is a `Kernel`.
    """
    keep_starts = wants_gradient(*arguments.tensors)
    outputs: Any = _forward(*arguments, backend, keep_starts, _made_with())
    return outputs[0], outputs[1].detach()


@torch.compiler.assume_constant_result
def _made_with() -> str:
    """What the size of the kept states depends on, beside the arguments.

    Compilers keep graphs on disk; as part of the graph this keeps them from using one that was made
    by another version, or before a compiler was installed.
    """
    kernels = (kernel for kernel in BACKENDS.values() if isinstance(kernel, Kernel))
    return " ".join([__version__, *(k.name for k in kernels if not k.unavailable())])


def _kernel(backend: str, arguments: Arguments) -> Kernel:
    if backend == "auto":
        kernels = (kernel for kernel in BACKENDS.values() if isinstance(kernel, Kernel))
        return next(k for k in kernels if not (k.refuses(arguments) or k.unavailable()))
    chosen = choose(backend, arguments)
    if not isinstance(chosen, Kernel):
        raise TinysegError(f"The scan backend '{backend}' cannot run inside a traced program.")
    return chosen


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
    backend: str,
    keep_starts: bool,
    made_with: str,
) -> tuple[Tensor, Tensor, Tensor]:
    given: Any = (x, delta, A, B, C, D, z, delta_bias, delta_softplus, discretisation)
    arguments = Arguments(*given).prepared()
    with torch.autocast(x.device.type, enabled=False):
        return _kernel(backend, arguments).forward(arguments, keep_starts)


@_forward.register_fake
def _(*values: Any) -> tuple[Tensor, Tensor, Tensor]:
    *given, backend, keep_starts, _ = values
    arguments = Arguments(*given).prepared()
    x, A = arguments.x, arguments.A
    starts = _kernel(backend, arguments).starts_shape(arguments) if keep_starts else (0,)
    return x.new_empty(x.shape), x.new_empty(x.shape[0], *A.shape), x.new_empty(starts)


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
    backend: str,
    starts: Tensor,
    grad_y: Tensor,
) -> list[Tensor]:
    given: Any = (x, delta, A, B, C, D, z, delta_bias, delta_softplus, discretisation)
    arguments = Arguments(*given).prepared()
    kernel = _kernel(backend, arguments)
    if starts.shape != kernel.starts_shape(arguments) or grad_y.shape != x.shape:
        raise TinysegError(
            f"The states kept for the scan's backward should be those of '{kernel.name}', "
            f"{kernel.starts_shape(arguments)}, not {tuple(starts.shape)}.",
            "Trace or compile the network again.",
        )
    with torch.autocast(x.device.type, enabled=False):
        gradients = kernel.backward(arguments, starts, grad_y)
    return [gradient for gradient in gradients if gradient is not None]


@_backward.register_fake
def _(*values: Any) -> list[Tensor]:
    return [tensor.new_empty(tensor.shape) for tensor in values[:8] if tensor is not None]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs[:8], output[2])
    ctx.rest = inputs[8:11]


def _differentiate(ctx: Any, grad_y: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
    *tensors, starts = ctx.saved_tensors
    gradients: Any = _backward(*tensors, *ctx.rest, starts, grad_y)
    of_given = iter(gradients)
    return *(None if t is None else next(of_given) for t in tensors), None, None, None, None, None


_forward.register_autograd(_differentiate, setup_context=_keep)
