"""The scan on CUDA devices, in Triton: no compiler of CUDA code is needed.

The kernels are tested in Triton's interpreter, compiled for devices of compute capability 8.0 and
9.0, and tested on one of 9.0. Nothing here has been tuned on one.
"""

import os
import shutil
import sys
from contextlib import nullcontext
from functools import cache
from importlib.util import find_spec
from math import isqrt
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tinyseg.scan.arguments import Arguments
from tinyseg.scan.backend import Gradients, Kernel

_STEPS = 16  # from one kept state to the next: a sixteenth of all states is kept
_TILE = 256  # states a program holds: 8 a lane of one warp
_WIDEST = 16  # channels of a program
_WARPS = 16  # programs of one warp that should wait on each multiprocessor, to hide its latencies


class _Plan(NamedTuple):
    """How the work is cut, the same in forward and backward."""

    device: torch.device
    grid: tuple[int, int, int]  # batch, blocks of channels, segments of time
    size: tuple[int, int, int, int, int]  # length, channels, states, steps a segment, segments
    constants: dict[str, Any]


class TritonScan(Kernel):
    """States in registers, one warp a few channels; softplus, skip and gate are part of it.

    Results are the same from run to run: sums over programs are made in a fixed order.

    Args:
        segments: of time, to walk side by side; None lets `segments_for` decide.
    """

    name = "triton"

    def __init__(self, segments: int | None = None) -> None:
        self._segments = segments

    def unavailable(self) -> str | None:
        """Without Triton, or without the C compiler with which it builds its launchers."""
        if find_spec("triton") is None:
            return "Triton is not installed. Install it with: pip install 'tinyseg[triton]'"
        compilers = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
        if sys.platform == "linux" and not (compilers or _interpreted()):
            return "Triton finds no C compiler. Install gcc, or name one in the variable CC"
        return None

    def refuses(self, arguments: Arguments) -> str | None:
        """Takes float32 on a CUDA device, B and C variable in time."""
        x = arguments.x
        if x.device.type != "cuda" and not _interpreted():
            return f"takes tensors on a CUDA device, not on {x.device}"
        if x.dtype != torch.float32:
            return f"takes float32, not {x.dtype}"
        return None if arguments.vary_in_time else "needs B and C that vary in time"

    def starts_shape(self, arguments: Arguments) -> tuple[int, ...]:
        """(batch, blocks, channels, states)."""
        batch, length, channels = arguments.x.shape
        return batch, -(-length // _STEPS), channels, arguments.A.shape[1]

    def forward(self, arguments: Arguments, keep_starts: bool) -> tuple[Tensor, Tensor, Tensor]:
        """See `Kernel.forward`."""
        x, delta, A, B, C, D, z, bias = _given(arguments)
        y = arguments.x.new_empty(arguments.x.shape)
        starts = y.new_empty(self.starts_shape(arguments) if keep_starts else 0)
        last = y.new_zeros(y.shape[0], *arguments.A.shape)
        if not y.numel():
            return y, last, starts
        plan = self._plan(arguments)
        ends, products = _between(plan, arguments)
        if ends is not None:
            _launch("forward_ends", plan, x, delta, A, B, bias, ends, products)
        inputs = x, delta, A, B, C, D, z, bias, ends, products
        kept = starts if keep_starts else None
        _launch("forward", plan, *inputs, y, last, kept, STEPS=_STEPS)
        return y, last, starts

    def backward(self, arguments: Arguments, starts: Tensor, grad_y: Tensor) -> Gradients:
        """See `Kernel.backward`."""
        if not grad_y.numel():
            return Gradients(*(None if t is None else t.new_zeros(t.shape) for t in arguments[:8]))  # pyright: ignore[reportArgumentType]
        x, delta, A, B, C, D, z, bias = _given(arguments)
        plan = self._plan(arguments)
        g = _sequence(grad_y)
        ends, products = _between(plan, arguments)
        if ends is not None:
            _launch("backward_ends", plan, delta, A, C, z, bias, g, ends, products)
        inputs = x, delta, A, B, C, D, z, bias, g, starts, ends, products
        parts = _parts(arguments, plan)
        _launch("backward", plan, *inputs, _scratch(arguments, plan), *parts, STEPS=_STEPS)
        return _summed(parts)

    def _plan(self, arguments: Arguments) -> _Plan:
        batch, length, channels = arguments.x.shape
        states = arguments.A.shape[1]
        tile_states = _power_of_two(states)
        width = min(_power_of_two(channels), _WIDEST, max(_TILE // tile_states, 1))
        blocks = -(-channels // width)
        wanted = self._segments or segments_for(
            batch * blocks, length, _multiprocessors(arguments.x.device)
        )
        steps = -(-length // wanted // _STEPS) * _STEPS  # segments begin where a state is kept
        segments = -(-length // steps)
        constants = {
            "SOFTPLUS": arguments.delta_softplus,
            "EULER": arguments.discretisation == "euler",
            "CHANNELS": width,
            "STATES": tile_states,
        }
        size = (length, channels, states, steps, segments)
        return _Plan(arguments.x.device, (batch, blocks, segments), size, constants)


def segments_for(programs: int, length: int, multiprocessors: int) -> int:
    """How many segments of time are walked side by side.

    As many as give each multiprocessor 16 programs, up to sqrt(2 length), where the two walks
    through a segment and the one over the ends of the segments before it are shortest together.
    Below 4 the second walk leaves nothing to win, so time is not cut.

    Args:
        programs: batch elements times blocks of channels.
        length: steps in time.
        multiprocessors: of the device.
    """
    wanted = _WARPS * multiprocessors // max(programs, 1)
    segments = min(wanted, isqrt(2 * length), -(-length // _STEPS))
    return segments if segments >= 4 else 1


def _launch(kernel: str, plan: _Plan, *values: Any, **constants: int) -> None:
    from tinyseg.scan import triton_kernels  # Triton is an extra

    launch = getattr(triton_kernels, kernel)[plan.grid]
    # Triton launches on the current device, whatever device its tensors are on.
    with torch.cuda.device(plan.device) if plan.device.type == "cuda" else nullcontext():
        launch(
            *values, plan.size, **plan.constants, **constants, num_warps=1, enable_fp_fusion=True
        )


def _interpreted() -> bool:
    """Whether Triton interprets its kernels, on the processor, as its own variable asks."""
    return os.environ.get("TRITON_INTERPRET") == "1"


@cache
def _multiprocessors(device: torch.device) -> int:
    if device.type != "cuda":
        return 1
    return torch.cuda.get_device_properties(device).multi_processor_count


def _power_of_two(number: int) -> int:
    """The first that is not below the number."""
    return 1 << max(number - 1, 0).bit_length()


def _sequence(tensor: Tensor) -> tuple[Any, ...]:
    return tensor, *tensor.stride()


def _given(arguments: Arguments) -> tuple[Any, ...]:
    """The eight tensors as the kernels take them."""
    x, delta, A, B, C, D, z, bias = arguments[:8]
    return (
        _sequence(x),
        _sequence(delta),
        A.contiguous(),
        _sequence(B),
        _sequence(C),
        None if D is None else D.contiguous(),
        None if z is None else _sequence(z),
        None if bias is None else bias.contiguous(),
    )


def _between(plan: _Plan, arguments: Arguments) -> tuple[Tensor | None, Tensor | None]:
    """Ends and products of decays of the segments, where there are several."""
    batch, _, segments = plan.grid
    if segments == 1:
        return None, None
    shape = batch, segments, *arguments.A.shape
    return arguments.x.new_empty(shape), arguments.x.new_empty(shape)


def _scratch(arguments: Arguments, plan: _Plan) -> Tensor:
    """For the states of one block of every program."""
    batch, blocks, segments = plan.grid
    tile = plan.constants["CHANNELS"] * plan.constants["STATES"]
    return arguments.x.new_empty(batch * blocks * segments * _STEPS * tile)


def _parts(arguments: Arguments, plan: _Plan) -> list[Tensor | None]:
    """Gradients as the kernel writes them: some still to be summed over programs."""
    x, A, D, z, bias = arguments.x, arguments.A, arguments.D, arguments.z, arguments.delta_bias
    batch, blocks, segments = plan.grid
    of_time = batch, blocks, x.shape[1], A.shape[1]
    return [
        x.new_empty(x.shape),
        x.new_empty(x.shape),
        x.new_empty(batch * segments, *A.shape),
        x.new_empty(of_time),
        x.new_empty(of_time),
        None if D is None else x.new_empty(batch * segments, *D.shape),
        None if z is None else x.new_empty(x.shape),
        None if bias is None else x.new_empty(batch * segments, *bias.shape),
    ]


def _summed(parts: list[Tensor | None]) -> Gradients:
    x, delta, A, B, C, D, z, bias = parts
    assert x is not None and delta is not None and A is not None
    assert B is not None and C is not None
    return Gradients(
        x,
        delta,
        A.sum(0),
        B.sum(1) if B.shape[1] > 1 else B[:, 0].contiguous(),
        C.sum(1) if C.shape[1] > 1 else C[:, 0].contiguous(),
        None if D is None else D.sum(0),
        z,
        None if bias is None else bias.sum(0),
    )
