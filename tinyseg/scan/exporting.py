"""Forms of the scan for exporters: pure tensor operations, chosen by a context manager."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor
from torch._higher_order_ops.scan import scan as scan_operator

from tinyseg.errors import UsageError
from tinyseg.scan.arguments import Arguments, decays

Form = Literal["eager", "operator", "hop2", "g8", "lean"]

_STEPS = 8  # TFLite concatenates at most this many pieces at once without splitting the operator


class _Current(threading.local):
    """Read by whoever compiles a scan, which would not look into a `ContextVar`."""

    def __init__(self) -> None:
        self.form: Form = "eager"


_current = _Current()


@contextmanager
def scan_form(form: Form) -> Iterator[None]:
    """Makes every scan of this thread take a form inside the block.

    Args:
        form: ``eager`` computes by a backend; ``operator`` is one opaque operator, for counting;
            ``hop2`` is PyTorch's scan operator with the exponentials hoisted out, for runtimes with
            control flow (ONNX); ``g8`` is made of portable operators alone, for TFLite; so is
            ``lean``, of more operators and in less memory.
    """
    before, _current.form = _current.form, form
    try:
        yield
    finally:
        _current.form = before


def current_form() -> Form:
    """The form that scans take now."""
    return _current.form


def is_traced() -> bool:
    """Whether somebody records operations who would not see what a kernel does to memory."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]


def hoisted_scan(arguments: Arguments) -> tuple[Tensor, Tensor]:
    """``hop2``: decays and inputs of all steps at once; the loop's body is one multiply and add.

    B and C are variable in time.

    Returns:
        y (batch, length, channels) and the last state (batch, channels, states).
    """
    x, A, B, C = _variable(arguments)
    delta = arguments.steps().transpose(0, 1)
    decay = decays(delta, A, arguments.discretisation)
    entering = (delta * x.transpose(0, 1)).unsqueeze(-1) * B.transpose(0, 1).unsqueeze(2)

    def step(state: Tensor, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        state = inputs[0] * state + inputs[1]
        return state, state.clone()  # the operator forbids an output that aliases the carry

    # A zero computed from a decay, because constants would be baked into the file.
    outcome: Any = scan_operator(step, decay[0] * 0, (decay, entering), dim=0)
    last, states = outcome
    y = torch.matmul(states, C.transpose(0, 1).unsqueeze(-1)).squeeze(-1)
    return arguments.finish(y.transpose(0, 1)), last


def portable_scan(arguments: Arguments) -> tuple[Tensor, Tensor]:
    """``g8``: chunks of up to eight steps side by side, then a logarithmic carry across chunks.

    B and C are variable in time; the length is fixed at export. Every slice keeps its rank, which
    saves a reshape each in TFLite.

    Returns:
        y (batch, length, channels) and the last state (batch, channels, states).
    """
    x, A, B, C = _variable(arguments)
    delta = arguments.steps()
    batch, length, channels = x.shape
    steps = _steps(length)
    chunks = (batch, length // steps, steps, channels)
    decay = decays(delta.reshape(chunks), A, arguments.discretisation)
    entering = (delta * x).reshape(*chunks, 1) * B.reshape(*chunks[:3], 1, -1)
    states = [entering.narrow(2, 0, 1)]
    products = [decay.narrow(2, 0, 1)]
    for step in range(1, steps):
        now = decay.narrow(2, step, 1)
        states.append(now * states[-1] + entering.narrow(2, step, 1))
        products.append(now * products[-1])
    carry = _ends_before(products[-1], states[-1])
    all_states = torch.cat(states, 2) + torch.cat(products, 2) * carry
    y = (all_states * C.reshape(*chunks[:3], 1, -1)).sum(-1)
    return arguments.finish(y.reshape(batch, length, channels)), all_states[:, -1, -1]


def lean_scan(arguments: Arguments) -> tuple[Tensor, Tensor]:
    """``lean``: as ``g8``, but no two values ever hold the states of all steps.

    The first pass over the chunks' steps is for what each chunk ends with, the second, from what
    it begins with, for the read-out of one step after another.

    Returns:
        y (batch, length, channels) and the last state (batch, channels, states).
    """
    x, A, B, C = _variable(arguments)
    delta = arguments.steps()
    batch, length, channels = x.shape
    steps = _steps(length)
    chunks = (batch, length // steps, steps)
    entering = (delta * x).reshape(*chunks, channels, 1)
    all_delta = delta.reshape(*chunks, channels).split(1, 2)
    all_B = B.reshape(*chunks, 1, -1).split(1, 2)
    all_decays: list[Tensor] = []
    end = product = None
    for now, into, step in zip(entering.split(1, 2), all_B, all_delta, strict=True):
        decay = decays(step, A, arguments.discretisation)
        all_decays.append(decay)
        end = now * into if end is None else decay * end + now * into
        product = decay if product is None else decay * product
    assert product is not None
    assert end is not None
    state = _ends_before(product, end)
    # Less the negative, or a converter would keep the products of the first pass for the second.
    leaving = (entering * -1).split(1, 2)
    all_C = C.reshape(*chunks, 1, -1).split(1, 2)
    y: list[Tensor] = []
    for now, into, out, decay in zip(leaving, all_B, all_C, all_decays, strict=True):
        state = decay * state - now * into
        y.append((state * out).sum(-1))
    return arguments.finish(torch.cat(y, 2).reshape(batch, length, channels)), state[:, -1, -1]


def _steps(length: int) -> int:
    """How many steps a chunk has; they divide the length."""
    return next(k for k in range(min(_STEPS, length), 0, -1) if length % k == 0)


def _variable(arguments: Arguments) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x, A, B and C."""
    if not arguments.vary_in_time:
        raise UsageError("B and C should vary in time, (batch, length, states), to be exported.")
    return arguments.x, arguments.A, arguments.B, arguments.C


def _ends_before(product: Tensor, end: Tensor) -> Tensor:
    """The state each chunk (dimension 1) begins with, by Hillis and Steele's prefix scan."""
    count = end.shape[1]
    shift = 1
    while shift < count:
        rest = count - shift
        later = product.narrow(1, shift, rest)
        joined = end.narrow(1, shift, rest) + later * end.narrow(1, 0, rest)
        end = torch.cat([end.narrow(1, 0, shift), joined], 1)
        product = torch.cat([product.narrow(1, 0, shift), later * product.narrow(1, 0, rest)], 1)
        shift *= 2
    nothing = end.narrow(1, 0, 1) * 0
    return torch.cat([nothing, end.narrow(1, 0, count - 1)], 1) if count > 1 else nothing
