"""The blocked scan: bulk work in blocks that fit the cache, one fused operation a step.

Autograd never sees the steps; the backward recomputes each block from the state at its start.
Within a block tensors are (time, states, channels, batch) by their dimensions; in memory the longer
of channels and batch is innermost, because elementwise operations are only fast on long rows.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_BLOCK_ELEMENTS = 96 * 1024  # of one buffer: three or four of them stay in a 2 MB cache
_SHORTEST_BLOCK, _LONGEST_BLOCK = 4, 64


def chunked_scan(
    x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor
) -> tuple[Tensor, Tensor]:
    """The scan of `reference_scan`, with B and C variable in time.

    Args:
        x: input, (batch, length, channels), float32 or float64, any strides.
        delta: step sizes, (batch, length, channels).
        A: (channels, states).
        B: (batch, length, states).
        C: (batch, length, states).

    Returns:
        y (batch, length, channels) and the last state (batch, channels, states), which carries no
        gradient. Second derivatives raise.
    """
    return _ChunkedScan.apply(x, delta, A, B, C)  # pyright: ignore[reportReturnType]


class _Inputs(NamedTuple):
    """One block of the inputs, time first and batch last."""

    x: Tensor  # (time, channels, batch)
    delta: Tensor  # (time, channels, batch)
    B: Tensor  # (time, states, batch)
    C: Tensor  # (time, states, batch)


class _ChunkedScan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor
    ) -> tuple[Tensor, Tensor]:
        batch, length, channels = x.shape
        states = A.shape[1]
        steps = _block_length(batch * channels * states)
        y = x.new_empty(batch, length, channels)
        starts = x.new_empty(-(-length // steps), states, channels, batch)
        last = x.new_empty(batch, channels, states)
        with torch.inference_mode():
            a, h = (_buffer(x, min(steps, length), states) for _ in range(2))
            state = _buffer(x, 1, states)[0].zero_()
            for number, start in enumerate(range(0, length, steps)):
                block = slice(start, min(start + steps, length))
                inputs = _block(block, x, delta, B, C)
                count = block.stop - block.start
                starts[number].copy_(state)
                _walk(inputs, A, a[:count], h[:count], state)
                state.copy_(h[count - 1])
                torch.mul(h[:count], inputs.C.unsqueeze(2), out=a[:count])
                y[:, block].copy_(a[:count].sum(1).permute(2, 0, 1))
            last.copy_(state.permute(2, 1, 0))
        ctx.save_for_backward(x, delta, A, B, C, starts)
        ctx.mark_non_differentiable(last)
        return y, last

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, ...]:
        x, delta, A, B, C, starts = ctx.saved_tensors
        grad_y = grads[0]
        batch, length, channels = x.shape
        states = A.shape[1]
        steps = _block_length(batch * channels * states)
        outputs = [
            torch.empty_like(t, memory_format=torch.contiguous_format) for t in (x, delta, B, C)
        ]
        grad_A = torch.zeros_like(A)
        with torch.inference_mode():
            a, h, q, scratch = (_buffer(x, min(steps, length), states) for _ in range(4))
            handed_back = _buffer(x, 1, states)[0].zero_()
            for number in reversed(range(starts.shape[0])):
                block = slice(number * steps, min((number + 1) * steps, length))
                count = block.stop - block.start
                buffers = [buffer[:count] for buffer in (a, h, q, scratch)]
                inputs = _block(block, x, delta, B, C)
                g = _time_first(grad_y[:, block])
                gradients = _block_gradients(inputs, g, A, starts[number], handed_back, buffers)
                for whole, part in zip(outputs, gradients, strict=False):
                    whole[:, block].copy_(part.permute(2, 0, 1))
                grad_A += gradients[-1].t()
        return outputs[0], outputs[1], grad_A, outputs[2], outputs[3]


def _block_gradients(
    inputs: _Inputs, g: Tensor, A: Tensor, start: Tensor, handed_back: Tensor, buffers: list[Tensor]
) -> tuple[Tensor, ...]:
    """Gradients of one block, for the gradient ``g`` of its outputs.

    With q[t] the gradient of the state, q[t] = g[t] C[t] + a[t+1] q[t+1]; the block after hands
    back its a[0] q[0], which is replaced by this block's own.

    Returns:
        for x, delta (time, channels, batch), B, C (time, states, batch), and A (states, channels).
    """
    a, h, q, scratch = buffers
    x, delta, B, C = inputs
    _walk(inputs, A, a, h, start)
    torch.mul(g.unsqueeze(1), C.unsqueeze(2), out=q)
    q[-1].add_(handed_back)
    decays, gradients = a.unbind(0), q.unbind(0)
    for t in range(len(gradients) - 2, -1, -1):
        torch.addcmul(gradients[t], decays[t + 1], gradients[t + 1], out=gradients[t])
    grad_C = torch.mul(h, g.unsqueeze(1), out=scratch).sum(2)
    grad_B = torch.mul(q, (delta * x).unsqueeze(1), out=scratch).sum(2)
    through_input = torch.mul(q, B.unsqueeze(2), out=scratch).sum(1)
    # From here on q holds a q, then a q h[t-1], the gradient of delta A.
    q.mul_(a)
    handed_back.copy_(q[0])
    q[0].mul_(start)
    q[1:].mul_(h[:-1])
    grad_A = torch.mul(q, delta.unsqueeze(1), out=scratch).sum((0, 3))
    through_decay = torch.mul(q, A.t().unsqueeze(-1), out=scratch).sum(1)
    grad_delta = torch.addcmul(through_decay, x, through_input)
    return delta * through_input, grad_delta, grad_B, grad_C, grad_A


def _walk(inputs: _Inputs, A: Tensor, a: Tensor, h: Tensor, start: Tensor) -> None:
    """Fills ``a`` with the decays and ``h`` with the states of one block."""
    x, delta, B, _ = inputs
    torch.mul(delta.unsqueeze(1), A.t().unsqueeze(-1), out=a)
    a.exp_()
    torch.mul((delta * x).unsqueeze(1), B.unsqueeze(2), out=h)
    before = start
    for decay, state in zip(a.unbind(0), h.unbind(0), strict=True):
        before = torch.addcmul(state, decay, before, out=state)


def _block(block: slice, x: Tensor, delta: Tensor, B: Tensor, C: Tensor) -> _Inputs:
    innermost_is_batch = _batch_innermost(x)
    parts = [_time_first(tensor[:, block]) for tensor in (x, delta, B, C)]
    return _Inputs(*(part.contiguous() if innermost_is_batch else part for part in parts))


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


def _block_length(elements_a_step: int) -> int:
    steps = _BLOCK_ELEMENTS // max(elements_a_step, 1)
    return min(max(steps, _SHORTEST_BLOCK), _LONGEST_BLOCK)
