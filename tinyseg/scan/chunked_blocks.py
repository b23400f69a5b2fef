"""Buffers for the blocks of the chunked scan, and what is done in them."""

import math
from itertools import pairwise

import torch
from torch import Tensor

from tinyseg.scan.chunked_plan import Plan


class Buffers:
    """Buffers for blocks of one size; the layout is the plan's.

    Attributes:
        a: factors of the states over a step.
        h: states.
        q: gradients of the states; for the backward alone.
    """

    def __init__(
        self, plan: Plan, pool: list[Tensor], A: Tensor, steps: int, side: int, zoh: bool
    ) -> None:
        """Views of the pool: flat tensors, two for a forward, three or (channels not last) four."""
        self._plan, self._side, self._zoh = plan, side, zoh
        shape = (steps, *plan.state_shape(side))
        views = [memory[: math.prod(shape)].view(shape) for memory in pool]
        self.a, self.h = views[:2]
        self.q = views[-1]  # the forward has no q
        self._scratch = views[2] if len(pool) == 4 else self.a  # a is free once h is there
        self._states_axis = 2 if plan.channels_last else 1
        # Written out for all lanes where they are innermost: rows of one constant are slower.
        A = A.t() if plan.channels_last else A.t().unsqueeze(-1).expand(shape[1:])
        self._A = A.contiguous()
        # PyTorch's exp2 takes a quarter of the time of its exp, which it leaves to MKL.
        self._rates = self._A / math.log(2) if zoh else self._A
        self._factors, self._states = self.a.unbind(0), self.h.unbind(0)
        self._factors_back = (self._factors[0], *reversed(self._factors[1:]))
        self._gradients_back = tuple(reversed(self.q.unbind(0)))

    def decays(self, delta: Tensor) -> None:
        """Fills ``a``."""
        torch.mul(delta.unsqueeze(self._states_axis), self._rates, out=self.a)
        if self._zoh:
            torch.exp2(self.a, out=self.a)
        else:
            self.a.add_(1)

    def starts(self, entering: Tensor, B: Tensor, state: Tensor) -> Tensor:
        """What each lane starts with, for the state that the sequence has: may share its memory."""
        if self._side == 1:
            return state
        self._walk(entering, B, None)
        return self._carried(state, self._states[-1], forwards=True)

    def scan(self, entering: Tensor, B: Tensor, starts: Tensor) -> None:
        """Fills ``h`` by means of ``a``; ``entering`` is delta x."""
        self._walk(entering, B, starts)

    def last_state(self) -> Tensor:
        """Of the sequence."""
        return self._plan.by_stretch(self._states[-1], self._side)[-1]

    def scan_back(self, g: Tensor, C: Tensor, handed: Tensor) -> None:
        """Fills ``q``; replaces what the block after handed back by what this one hands back.

        q[t] = g[t] C[t] + a[t+1] q[t+1]; a block hands back a[0] q[0].
        """
        ends = handed
        if self._side > 1:
            self._walk_back(g, C, None)
            ends = self._carried(handed, self._factors[0] * self.q[0], forwards=False)
        self._walk_back(g, C, ends)
        back = self._factors[0] * self.q[0]
        handed.copy_(self._plan.by_stretch(back, self._side)[0])

    def to_decay_gradients(self, starts: Tensor) -> None:
        """Turns ``q`` into the gradient of delta A."""
        if self._zoh:
            self.q.mul_(self.a)
        self.q[0].mul_(starts)
        self.q[1:].mul_(self.h[:-1])

    def rate_gradients(self, delta: Tensor) -> Tensor:
        """Gradient of A, (channels, states), from that of delta A in ``q``; overwrites ``h``."""
        product = torch.mul(self.q, delta.unsqueeze(self._states_axis), out=self.h)
        return product.sum(0).sum(0 if self._plan.channels_last else 2).t()

    def step_gradients(self, out: Tensor) -> None:
        """Sum over states of A times the gradient of delta A in ``q``; overwrites ``q``."""
        torch.sum(self.q.mul_(self._A), self._states_axis, out=out)

    def over_states(self, values: Tensor, coefficients: Tensor, out: Tensor) -> None:
        """Sum over states of ``h`` or ``q`` times B or C."""
        if self._plan.channels_last:
            left = coefficients.flatten(0, 1).unsqueeze(1)
            torch.bmm(left, values.flatten(0, 1), out=out.flatten(0, 1).unsqueeze(1))
        else:
            torch.mul(values, coefficients.unsqueeze(2), out=self._scratch)
            torch.sum(self._scratch, 1, out=out)

    def over_channels(self, values: Tensor, factors: Tensor, out: Tensor) -> None:
        """Sum over channels of ``h`` or ``q`` times what is given for each channel."""
        if self._plan.channels_last:
            left = factors.flatten(0, 1).unsqueeze(1)
            right = values.flatten(0, 1).transpose(1, 2)
            torch.bmm(left, right, out=out.flatten(0, 1).unsqueeze(1))
        else:
            torch.mul(values, factors.unsqueeze(1), out=self._scratch)
            torch.sum(self._scratch, 2, out=out)

    def _walk(self, entering: Tensor, B: Tensor, starts: Tensor | None) -> None:
        self._outer(entering, B, self.h)
        if starts is not None:
            self._states[0].addcmul_(self._factors[0], starts)
        _walk(self._factors, self._states)

    def _walk_back(self, g: Tensor, C: Tensor, ends: Tensor | None) -> None:
        self._outer(g, C, self.q)
        if ends is not None:
            self._gradients_back[0].add_(ends)
        _walk(self._factors_back, self._gradients_back)

    def _outer(self, of_channels: Tensor, of_states: Tensor, out: Tensor) -> None:
        axis = self._states_axis
        torch.mul(of_channels.unsqueeze(axis), of_states.unsqueeze(axis + 1), out=out)

    def _carried(self, first: Tensor, ends: Tensor, forwards: bool) -> Tensor:
        """What enters each stretch: its neighbour's end, which ``ends`` has for nothing entering.

        Its end is that, and what entered it times the product of its decays.
        """
        entering = torch.empty_like(ends)
        into, left, decays = (
            self._plan.by_stretch(states, self._side) for states in (entering, ends, self.a.prod(0))
        )
        order = 1 if forwards else -1
        if forwards:
            into[1:].copy_(left[:-1])
        else:
            into[:-1].copy_(left[1:])
        factors, states = decays.unbind(0)[::order], into.unbind(0)[::order]
        states[0].copy_(first)
        _walk((factors[0], *factors[:-1]), states)
        return entering


def _walk(factors: tuple[Tensor, ...], states: tuple[Tensor, ...]) -> None:
    """states[i] += factors[i] states[i - 1], one after the other, in place."""
    if states[0].is_cpu and len(states) > 1:
        # One call for all steps: on a CPU it goes through the list in order.
        torch._foreach_addcmul_(states[1:], factors[1:], states[:-1])  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
    else:
        for (before, state), factor in zip(pairwise(states), factors[1:], strict=True):
            state.addcmul_(factor, before)
