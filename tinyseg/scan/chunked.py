"""The blocked scan: bulk work in blocks that fit the cache, one fused operation a step.

Autograd never sees the steps; the backward recomputes each block from the state at its start.
Within a block tensors are (time, states, channels, batch) by their dimensions; in memory the longer
of channels and batch is innermost, because elementwise operations are only fast on long rows.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tinyseg.scan.arguments import Arguments
from tinyseg.scan.backend import Gradients, Kernel

_BLOCK_ELEMENTS = 96 * 1024  # of one buffer: three or four of them stay in a 2 MB cache
_SHORTEST_BLOCK, _LONGEST_BLOCK = 4, 64


class _Block(NamedTuple):
    """One block of the inputs, time first and batch last."""

    x: Tensor  # (time, channels, batch)
    delta: Tensor  # (time, channels, batch), after bias and softplus
    B: Tensor  # (time, states, batch)
    C: Tensor  # (time, states, batch)
    z: Tensor | None  # (time, channels, batch)


class Chunked(Kernel):
    """Plain PyTorch, on any device; the backward recomputes each block from its first state."""

    name = "chunked"

    def refuses(self, arguments: Arguments) -> str | None:
        """Constant B or C are left to the reference."""
        if arguments.B.dim() < 3 or arguments.C.dim() < 3:
            return "needs B and C that vary in time"
        return None

    def starts_shape(self, arguments: Arguments) -> tuple[int, ...]:
        """(blocks, states, channels, batch)."""
        batch, length, channels = arguments.x.shape
        states = arguments.A.shape[1]
        return -(-length // _steps(arguments)), states, channels, batch

    def forward(self, arguments: Arguments, keep_starts: bool) -> tuple[Tensor, Tensor, Tensor]:
        """See `Kernel.forward`."""
        x, A, D = arguments.x, arguments.A, arguments.D
        batch, length, channels = x.shape
        states, steps = A.shape[1], _steps(arguments)
        y = x.new_empty(batch, length, channels)
        starts = x.new_empty(self.starts_shape(arguments) if keep_starts else 0)
        last = x.new_empty(batch, channels, states)
        with torch.inference_mode():
            a, h = (_buffer(x, min(steps, length), states) for _ in range(2))
            state = _buffer(x, 1, states)[0].zero_()
            for number, start in enumerate(range(0, length, steps)):
                block = slice(start, min(start + steps, length))
                inputs = _block(arguments, block)
                count = block.stop - block.start
                if keep_starts:
                    starts[number].copy_(state)
                _walk(inputs, arguments, a[:count], h[:count], state)
                state.copy_(h[count - 1])
                out = _read_out(inputs, D, h[:count], a[:count])
                if inputs.z is not None:
                    out.mul_(F.silu(inputs.z))
                y[:, block].copy_(out.permute(2, 0, 1))
            last.copy_(state.permute(2, 1, 0))
        return y, last, starts

    def backward(self, arguments: Arguments, starts: Tensor, grad_y: Tensor) -> Gradients:
        """See `Kernel.backward`."""
        x, length, states = arguments.x, arguments.x.shape[1], arguments.A.shape[1]
        steps = _steps(arguments)
        gradients = Gradients(
            *(
                None if t is None else torch.empty_like(t, memory_format=torch.contiguous_format)
                for t in arguments.tensors
            )  # pyright: ignore[reportArgumentType]
        )
        sums = [t for t in (gradients.A, gradients.D, gradients.delta_bias) if t is not None]
        for tensor in sums:
            tensor.zero_()
        with torch.inference_mode():
            buffers = [_buffer(x, min(steps, length), states) for _ in range(4)]
            handed_back = _buffer(x, 1, states)[0].zero_()
            for number in reversed(range(starts.shape[0])):
                block = slice(number * steps, min((number + 1) * steps, length))
                count = block.stop - block.start
                _block_gradients(
                    arguments,
                    block,
                    _time_first(grad_y[:, block]),
                    starts[number],
                    handed_back,
                    [buffer[:count] for buffer in buffers],
                    gradients,
                )
        return gradients


def _block_gradients(
    arguments: Arguments,
    block: slice,
    g: Tensor,
    start: Tensor,
    handed_back: Tensor,
    buffers: list[Tensor],
    gradients: Gradients,
) -> None:
    """Writes or adds the gradients of one block, for the gradient ``g`` of its outputs.

    With q[t] the gradient of the state, q[t] = g[t] C[t] + a[t+1] q[t+1]; the block after hands
    back its a[0] q[0], which is replaced by this block's own.
    """
    a, h, q, scratch = buffers
    inputs = _block(arguments, block)
    x, delta, B, C, z = inputs
    D, A = arguments.D, arguments.A
    _walk(inputs, arguments, a, h, start)
    if z is not None and gradients.z is not None:
        gate = torch.sigmoid(z)
        through_gate = g * _read_out(inputs, D, h, scratch)
        through_gate.mul_(gate * (1 + z * (1 - gate)))
        gradients.z[:, block].copy_(through_gate.permute(2, 0, 1))
        g = g * z * gate
    torch.mul(g.unsqueeze(1), C.unsqueeze(2), out=q)
    q[-1].add_(handed_back)
    factors, states = a.unbind(0), q.unbind(0)
    for t in range(len(states) - 2, -1, -1):
        torch.addcmul(states[t], factors[t + 1], states[t + 1], out=states[t])
    _write(gradients.C, block, torch.mul(h, g.unsqueeze(1), out=scratch).sum(2))
    _write(gradients.B, block, torch.mul(q, (delta * x).unsqueeze(1), out=scratch).sum(2))
    through_input = torch.mul(q, B.unsqueeze(2), out=scratch).sum(1)
    # From here on q holds the gradient of delta A.
    torch.mul(q[0], a[0], out=handed_back)
    if arguments.discretisation == "zoh":
        q.mul_(a)
    q[0].mul_(start)
    q[1:].mul_(h[:-1])
    gradients.A.add_(torch.mul(q, delta.unsqueeze(1), out=scratch).sum((0, 3)).t())
    grad_delta = torch.mul(q, A.t().unsqueeze(-1), out=scratch).sum(1).addcmul_(x, through_input)
    if arguments.delta_softplus:
        grad_delta.mul_(-torch.expm1(-delta))  # the sigmoid of what went into softplus
    grad_x = delta * through_input
    if D is not None and gradients.D is not None:
        grad_x.addcmul_(D.unsqueeze(-1), g)
        gradients.D.add_((g * x).sum((0, 2)))
    if gradients.delta_bias is not None:
        gradients.delta_bias.add_(grad_delta.sum((0, 2)))
    _write(gradients.x, block, grad_x)
    _write(gradients.delta, block, grad_delta)


def _write(whole: Tensor, block: slice, part: Tensor) -> None:
    whole[:, block].copy_(part.permute(2, 0, 1))


def _walk(inputs: _Block, arguments: Arguments, a: Tensor, h: Tensor, start: Tensor) -> None:
    """Fills ``a`` with the decays and ``h`` with the states of one block."""
    torch.mul(inputs.delta.unsqueeze(1), arguments.A.t().unsqueeze(-1), out=a)
    if arguments.discretisation == "zoh":
        a.exp_()
    else:
        a.add_(1)
    torch.mul((inputs.delta * inputs.x).unsqueeze(1), inputs.B.unsqueeze(2), out=h)
    before = start
    for decay, state in zip(a.unbind(0), h.unbind(0), strict=True):
        before = torch.addcmul(state, decay, before, out=state)


def _read_out(inputs: _Block, D: Tensor | None, h: Tensor, scratch: Tensor) -> Tensor:
    """What the states of a block give, with the skip: (time, channels, batch)."""
    out = torch.mul(h, inputs.C.unsqueeze(2), out=scratch).sum(1)
    return out if D is None else out.addcmul_(D.unsqueeze(-1), inputs.x)


def _block(arguments: Arguments, block: slice) -> _Block:
    x, delta, B, C, z = (
        None if tensor is None else _time_first(tensor[:, block])
        for tensor in (arguments.x, arguments.delta, arguments.B, arguments.C, arguments.z)
    )
    assert x is not None and delta is not None and B is not None and C is not None
    if _batch_innermost(arguments.x):
        x, delta, B, C = (tensor.contiguous() for tensor in (x, delta, B, C))
    if arguments.delta_bias is not None:
        delta = delta + arguments.delta_bias.unsqueeze(-1)
    if arguments.delta_softplus:
        delta = F.softplus(delta)
    return _Block(x, delta, B, C, z)


def _time_first(tensor: Tensor) -> Tensor:
    return tensor.permute(1, 2, 0)


def _buffer(x: Tensor, steps: int, states: int) -> Tensor:
    """An uninitialised (steps, states, channels, batch) in the layout that suits its sizes."""
    batch, _, channels = x.shape
    if _batch_innermost(x):
        return x.new_empty(steps, states, channels, batch)
    return x.new_empty(steps, batch, states, channels).permute(0, 2, 3, 1)


def _batch_innermost(x: Tensor) -> bool:
    return x.shape[0] >= x.shape[2]


def _steps(arguments: Arguments) -> int:
    """Length of a block."""
    batch, _, channels = arguments.x.shape
    steps = _BLOCK_ELEMENTS // max(batch * channels * arguments.A.shape[1], 1)
    return min(max(steps, _SHORTEST_BLOCK), _LONGEST_BLOCK)
