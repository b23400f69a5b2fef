"""The Mamba layer as a loop over time wants it.

All rows of a picture are scanned at once, over its columns, so that a loop over 1,024 tokens
becomes three of 32, and places lie innermost, so that what is broadcast over channels and states
comes in long rows. What is linear and follows something linear is multiplied with it beforehand.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan as scan_operator

from tinyseg.layers import Mamba

_LONG = 128  # tokens that are worth the operators of three loops


class TimeFirstMamba(nn.Module):
    """`Mamba`: a short sequence step by step, a long one in rows, all at once.

    Tokens are (width, batch x length) in between.
    """

    taps: Tensor
    taps_bias: Tensor
    coefficients: Tensor
    coefficients_bias: Tensor
    ones: Tensor
    A: Tensor

    def __init__(self, layer: Mamba) -> None:
        super().__init__()
        inner, rank, taps = layer.inner, layer.rank, layer.conv1d.weight
        self.layer, self.inner, self.states = layer, inner, layer.states
        self.zoh = layer.discretisation == "zoh"
        self.sizes = [inner, inner, layer.states, layer.states]
        with torch.no_grad():
            # The gate goes through a convolution that changes nothing, for the SiLU they share.
            same = torch.zeros_like(taps)
            same[..., -1] = 1
            self.register_buffer("taps", torch.cat([taps, same]).unsqueeze(2))
            bias = layer.conv1d.bias
            bias = taps.new_zeros(inner) if bias is None else bias
            self.register_buffer("taps_bias", torch.cat([bias, torch.zeros_like(bias)]))
            # x itself, step sizes, B and C of x.
            x_proj, dt_proj = layer.x_proj.weight.double(), layer.dt_proj.weight.double()
            parts = [torch.eye(inner).double(), dt_proj @ x_proj[:rank], x_proj[rank:]]
            self.register_buffer("coefficients", torch.cat(parts).float())
            bias = layer.dt_proj.bias
            parts = [torch.zeros(inner), bias, torch.zeros(2 * layer.states)]
            self.register_buffer("coefficients_bias", torch.cat(parts)[:, None])
            self.register_buffer("ones", torch.ones(layer.states))
            self.register_buffer("A", -torch.exp(layer.A_log).T.contiguous())

    def forward(self, tokens: Tensor) -> Tensor:
        """Maps (batch, length, width) to the same shape."""
        batch, length, width = tokens.shape
        flat = tokens.permute(2, 0, 1).reshape(width, batch * length)
        return (
            self.mixed(flat, batch, length, _rows(length))
            .reshape(width, batch, length)
            .permute(1, 2, 0)
        )

    def mixed(
        self, tokens: Tensor, batch: int, length: int, rows: int, residual: Tensor | None = None
    ) -> Tensor:
        """Maps (width, batch x length) to the same shape; rows of tokens follow each other.

        Args:
            tokens: what is mixed.
            batch: sequences in it.
            length: of each.
            rows: of each.
            residual: what the result is added to, of the same shape.
        """
        inner = self.inner
        both = torch.matmul(self.layer.in_proj.weight, tokens)
        both = F.pad(both.reshape(1, 2 * inner, batch, length), (self.taps.shape[-1] - 1, 0))
        both = F.conv2d(both, self.taps, self.taps_bias, groups=2 * inner)
        x, gate = F.silu(both.reshape(2 * inner, batch * length)).chunk(2)
        given = torch.addmm(self.coefficients_bias, self.coefficients, x)
        short = length < _LONG
        y = self._by_steps(given, batch, length) if short else self._by_rows(given, batch, rows)
        y = y.reshape(inner, batch * length)
        y = (y + self.layer.D[:, None] * x) * gate
        if residual is None:
            return torch.matmul(self.layer.out_proj.weight, y)
        return torch.addmm(residual, self.layer.out_proj.weight, y)

    def _by_steps(self, given: Tensor, batch: int, length: int) -> Tensor:
        given = given.reshape(sum(self.sizes), batch, 1, length).permute(3, 1, 2, 0).contiguous()
        x, steps, B, C = given.split(self.sizes, -1)
        delta = F.softplus(steps)
        # The loop carries what is left of a state after the next step, and gives the state: two
        # values, of which neither has to be copied. So decays are those of the step after.
        decay = self._decay(F.pad(delta, (0, 0, 0, 0, 0, 0, -1, 1)) * self.A)
        entering = (delta * x) * B.transpose(2, 3)

        def step(left: Tensor, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            state = left + inputs[1]
            return inputs[0] * state, state

        # A zero computed from a decay, because constants would be baked into the file.
        outcome: Any = scan_operator(step, decay[0] * 0, (decay, entering), dim=0)
        return torch.matmul(C, outcome[1]).permute(3, 1, 2, 0)

    def _by_rows(self, given: Tensor, batch: int, rows: int) -> Tensor:
        """Twice over the columns: first for the states that rows end with.

        Decays are computed in the loops, where they stay in the cache.
        """
        inner, states, places = self.inner, self.states, batch * rows
        columns = given.shape[1] // places
        given = given.reshape(sum(self.sizes) * places, columns).T.contiguous()
        given = given.reshape(columns, 1, sum(self.sizes), places)
        x, steps, B, C = given.split(self.sizes, 2)
        B, C = (part.reshape(columns, states, 1, places) for part in (B, C))
        delta = F.softplus(steps)
        inputs, A = (delta, delta * x, B), self.A.unsqueeze(-1)
        whole = torch.exp(delta.sum(0) * A) if self.zoh else torch.prod(1 + delta * A, 0)

        def last(state: Tensor, inputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
            delta, entering, B = inputs
            left = self._decay(delta * A) * state
            return left + entering * B, left  # there has to be an output

        def before(state: Tensor, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            return inputs[0] * state + inputs[1], state.clone()

        def read(state: Tensor, inputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
            delta, entering, B, C = inputs
            state = self._decay(delta * A) * state + entering * B
            # A product, because ONNX Runtime sums over a first axis three times as slowly.
            return state, torch.matmul(self.ones, (C * state).reshape(states, inner * places))

        # A zero computed from a decay, because constants would be baked into the file.
        nothing = whole * 0
        outcome: Any = scan_operator(last, nothing, inputs, dim=0)
        whole, ends = (t.reshape(-1, rows).T.contiguous() for t in (whole, outcome[0]))
        outcome = scan_operator(before, whole[0] * 0, (whole, ends), dim=0)
        begin = outcome[1].T.contiguous().reshape(states, inner, places)
        outcome = scan_operator(read, begin, (*inputs, C), dim=0)
        return outcome[1].T

    def _decay(self, product: Tensor) -> Tensor:
        return torch.exp(product) if self.zoh else 1 + product


def _rows(length: int) -> int:
    """Of a sequence that is no picture: a divisor near the root."""
    return next(n for n in range(int(length**0.5), 0, -1) if length % n == 0)
