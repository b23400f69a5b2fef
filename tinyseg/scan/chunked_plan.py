"""How the chunked scan cuts and lays out its sequences.

A block is time first; within a step the rows that elementwise operations run along are innermost:
(time, lanes, states, channels) or (time, states, channels, lanes). A lane is one sequence of the
batch, or one of several stretches of it that are walked side by side, the earliest first.
"""

from typing import NamedTuple

from torch import Tensor

from tinyseg.scan.arguments import Arguments

_BLOCK_ELEMENTS = 256 * 1024  # of a buffer; fewer cost calls, more leave the cache
_LONGEST_BLOCK = 64
_SHORTEST_BLOCK = 4  # one state a block is kept for the backward
_BLOCKS_IN_SEGMENT = 4  # inputs change their layout once a segment, which saves calls
_SHORTEST_ROW = 32  # the vector loops of PyTorch take two 16-float vectors at a time
_FEWEST_ELEMENTS = 2048  # of a step: below that a call costs more than its arithmetic


class Segment(NamedTuple):
    """Consecutive steps of a sequence: ``side`` stretches of ``steps`` each."""

    start: int
    steps: int
    side: int


class Plan(NamedTuple):
    """How a scan is cut up and laid out."""

    batch: int
    channels: int
    states: int
    steps: int  # in the longest block
    side: int
    channels_last: bool

    @classmethod
    def of(cls, arguments: Arguments) -> "Plan":
        """The plan by the measured rules."""
        (batch, length, channels), states = arguments.x.shape, arguments.A.shape[1]
        elements = max(batch * channels * states, 1)
        side = _side(_SHORTEST_ROW / max(batch, 1), length)
        channels_last = channels >= _SHORTEST_ROW or side * batch < channels
        if channels_last:
            side = _side(_FEWEST_ELEMENTS / elements, length)
        steps = _BLOCK_ELEMENTS // (side * elements)
        steps = min(max(steps, _SHORTEST_BLOCK), _LONGEST_BLOCK)
        return cls(batch, channels, states, steps, side, channels_last)

    def segments(self, length: int) -> list[Segment]:
        """Segments that cover the sequence; the last ones are shorter."""
        longest = self.steps * (_BLOCKS_IN_SEGMENT if self.side == 1 else 1)
        segments: list[Segment] = []
        start = 0
        while start < length:
            side = self.side if length - start >= self.side else 1
            steps = min(longest, (length - start) // side)
            segments.append(Segment(start, steps, side))
            start += side * steps
        return segments

    def starts(self, segment: Segment) -> int:
        """How many states are kept of a segment."""
        return segment.side * -(-segment.steps // self.steps)

    def cut(self, whole: Tensor, segment: Segment) -> Tensor:
        """A segment of (batch, length, features): (steps, lanes, features), or lanes last.

        It may share the memory of ``whole``.
        """
        part = whole.narrow(1, segment.start, segment.side * segment.steps)
        if not self.channels_last:
            part = part.contiguous()  # steps of a whole sequence's length would share cache sets
        part = self._arranged(part, segment).contiguous()
        features, lanes = whole.shape[2], segment.side * self.batch
        shape = (lanes, features) if self.channels_last else (features, lanes)
        return part.view(segment.steps, *shape)

    def put(self, whole: Tensor, segment: Segment, part: Tensor) -> None:
        """The inverse of `cut`."""
        into = whole.narrow(1, segment.start, segment.side * segment.steps)
        into = self._arranged(into, segment)
        into.copy_(part.view(into.shape))

    def _arranged(self, part: Tensor, segment: Segment) -> Tensor:
        part = part.view(self.batch, segment.side, segment.steps, part.shape[2])
        return part.permute((2, 1, 0, 3) if self.channels_last else (2, 3, 1, 0))

    def state_shape(self, side: int) -> tuple[int, int, int]:
        """Of the states of all lanes at one step."""
        lanes, states, channels = side * self.batch, self.states, self.channels
        return (lanes, states, channels) if self.channels_last else (states, channels, lanes)

    def by_stretch(self, states: Tensor, side: int) -> Tensor:
        """States of all lanes at one step, as (side, *states of one lane a sequence); a view."""
        if self.channels_last:
            return states.view(side, *self.state_shape(1))
        return states.view(self.states, self.channels, side, self.batch).permute(2, 0, 1, 3)

    def per_channel(self, vector: Tensor) -> Tensor:
        """(channels) as it is combined with what is cut."""
        return vector if self.channels_last else vector.unsqueeze(-1)

    def sum_per_channel(self, part: Tensor) -> Tensor:
        """Sum over steps and lanes, (channels)."""
        return part.sum((0, 1) if self.channels_last else (0, 2))


def _side(wanted: float, length: int) -> int:
    """A power of two that reaches what is wanted; stretches stay at least as long as many."""
    side = 1
    while side < wanted and 8 * side * side <= length:
        side *= 2
    return side
