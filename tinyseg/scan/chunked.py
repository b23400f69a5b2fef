"""The chunked scan: bulk work in blocks that fit the cache, one fused operation a step.

Autograd never sees the steps; the backward recomputes each block from the state at its start.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tinyseg.scan.arguments import Arguments
from tinyseg.scan.backend import Gradients, Kernel
from tinyseg.scan.chunked_blocks import Buffers
from tinyseg.scan.chunked_plan import Plan, Segment


class Chunked(Kernel):
    """Plain PyTorch, on any device; the backward recomputes each block from its first state."""

    name = "chunked"

    def refuses(self, arguments: Arguments) -> str | None:
        """Constant B or C are left to the reference."""
        return None if arguments.vary_in_time else "needs B and C that vary in time"

    def starts_shape(self, arguments: Arguments) -> tuple[int, ...]:
        """(kept states, elements of a state), as the plan lays them out."""
        plan = Plan.of(arguments)
        kept = sum(plan.starts(segment) for segment in plan.segments(arguments.x.shape[1]))
        return kept, plan.batch * plan.channels * plan.states

    def forward(self, arguments: Arguments, keep_starts: bool) -> tuple[Tensor, Tensor, Tensor]:
        """See `Kernel.forward`."""
        x, plan = arguments.x, Plan.of(arguments)
        y = x.new_empty(x.shape)
        last = x.new_empty(plan.batch, plan.channels, plan.states)
        starts = x.new_empty(self.starts_shape(arguments) if keep_starts else 0)
        with torch.inference_mode():
            state = x.new_zeros(plan.state_shape(1))
            buffers = _buffers(arguments, plan, 2)
            kept = 0
            for segment in plan.segments(x.shape[1]):
                into = starts[kept : kept + plan.starts(segment)] if keep_starts else None
                _scan_segment(arguments, plan, segment, buffers, state, into, y)
                kept += plan.starts(segment)
            last.copy_(state.permute((0, 2, 1) if plan.channels_last else (2, 1, 0)))
        return y, last, starts

    def backward(self, arguments: Arguments, starts: Tensor, grad_y: Tensor) -> Gradients:
        """See `Kernel.backward`."""
        x, plan = arguments.x, Plan.of(arguments)
        gradients = _no_gradients(arguments)
        with torch.inference_mode():
            handed = x.new_zeros(plan.state_shape(1))
            buffers = _buffers(arguments, plan, 3 if plan.channels_last else 4)
            kept = starts.shape[0]
            for segment in reversed(plan.segments(x.shape[1])):
                kept -= plan.starts(segment)
                of_segment = starts[kept : kept + plan.starts(segment)]
                _segment_gradients(
                    arguments, plan, segment, buffers, handed, of_segment, grad_y, gradients
                )
        return gradients


def _no_gradients(arguments: Arguments) -> Gradients:
    """Zeros for the gradients that segments add to, memory for those that they write."""
    return Gradients(
        *(
            None if t is None else t.new_empty(t.shape) if t.dim() == 3 else t.new_zeros(t.shape)
            for t in arguments.tensors
        )  # pyright: ignore[reportArgumentType]
    )


def _buffers(arguments: Arguments, plan: Plan, count: int) -> Callable[[int, int], Buffers]:
    """Buffers by steps and side, all in the same memory."""
    x, zoh = arguments.x, arguments.discretisation == "zoh"
    most = max((min(s.steps, plan.steps) * s.side for s in plan.segments(x.shape[1])), default=0)
    memory = [x.new_empty(most * math.prod(plan.state_shape(1))) for _ in range(count)]
    return cache(lambda steps, side: Buffers(plan, memory, arguments.A, steps, side, zoh))


class _Inputs(NamedTuple):
    """A segment of the inputs, as the plan lays it out."""

    x: Tensor
    delta: Tensor  # after bias and softplus
    B: Tensor
    C: Tensor
    z: Tensor | None


def _cut(arguments: Arguments, plan: Plan, segment: Segment) -> _Inputs:
    x, delta, B, C = (
        plan.cut(tensor, segment)
        for tensor in (arguments.x, arguments.delta, arguments.B, arguments.C)
    )
    if arguments.delta_bias is not None:
        delta = delta + plan.per_channel(arguments.delta_bias)
    if arguments.delta_softplus:
        delta = F.softplus(delta)
    return _Inputs(x, delta, B, C, None if arguments.z is None else plan.cut(arguments.z, segment))


def _scan_segment(
    arguments: Arguments,
    plan: Plan,
    segment: Segment,
    buffers: Callable[[int, int], Buffers],
    state: Tensor,
    starts: Tensor | None,
    y: Tensor,
) -> None:
    """Writes a segment of y, and the states its blocks start with; ``state`` goes on."""
    x, delta, B, C, z = _cut(arguments, plan, segment)
    entering, out = delta * x, torch.empty_like(x)
    pieces = zip(*(t.split(plan.steps) for t in (delta, entering, B, C, out)), strict=True)
    for number, (d, e, b, c, o) in enumerate(pieces):
        block = buffers(d.shape[0], segment.side)
        block.decays(d)
        start = block.starts(e, b, state)
        if starts is not None:
            kept = starts[number * segment.side : (number + 1) * segment.side]
            kept.view(start.shape).copy_(start)
        block.scan(e, b, start)
        state.copy_(block.last_state())
        block.over_states(block.h, c, o)
    if arguments.D is not None:
        out.addcmul_(x, plan.per_channel(arguments.D))
    if z is not None:
        out.mul_(F.silu(z))
    plan.put(y, segment, out)


def _segment_gradients(
    arguments: Arguments,
    plan: Plan,
    segment: Segment,
    buffers: Callable[[int, int], Buffers],
    handed: Tensor,
    starts: Tensor,
    grad_y: Tensor,
    gradients: Gradients,
) -> None:
    """Writes or adds the gradients of a segment; ``handed`` goes on to the one before."""
    x, delta, B, C, z = _cut(arguments, plan, segment)
    grad_out = plan.cut(grad_y, segment)
    g = grad_out if z is None else grad_out * F.silu(z)
    entering = delta * x
    grad_B, grad_C, grad_entering, grad_delta, y = (
        torch.empty_like(tensor) for tensor in (B, C, x, x, x)
    )
    sequences = (delta, entering, B, C, g, grad_B, grad_C, grad_entering, grad_delta, y)
    pieces = zip(*(t.split(plan.steps) for t in sequences), starts.split(segment.side), strict=True)
    for d, e, b, c, g_, grad_b, grad_c, grad_e, grad_d, o, kept in reversed(list(pieces)):
        block = buffers(d.shape[0], segment.side)
        start = kept.view(block.h.shape[1:])
        block.decays(d)
        block.scan(e, b, start)
        if z is not None:
            block.over_states(block.h, c, o)
        block.over_channels(block.h, g_, grad_c)
        block.scan_back(g_, c, handed)
        block.over_channels(block.q, e, grad_b)
        block.over_states(block.q, b, grad_e)
        block.to_decay_gradients(start)
        gradients.A.add_(block.rate_gradients(d))
        block.step_gradients(grad_d)
    grad_delta.addcmul_(x, grad_entering)
    grad_x = grad_entering.mul_(delta)
    if arguments.D is not None and gradients.D is not None:
        D = plan.per_channel(arguments.D)
        grad_x.addcmul_(g, D)
        gradients.D.add_(plan.sum_per_channel(g * x))
        if z is not None:
            y.addcmul_(x, D)
    if z is not None and gradients.z is not None:
        gate = torch.sigmoid(z)
        plan.put(gradients.z, segment, grad_out * y * gate * (1 + z * (1 - gate)))
    if arguments.delta_softplus:
        grad_delta.mul_(-torch.expm1(-delta))  # the sigmoid of what went into softplus
    if gradients.delta_bias is not None:
        gradients.delta_bias.add_(plan.sum_per_channel(grad_delta))
    plan.put(gradients.x, segment, grad_x)
    plan.put(gradients.delta, segment, grad_delta)
    plan.put(gradients.B, segment, grad_B)
    plan.put(gradients.C, segment, grad_C)
