"""The scan in plain C, for float32 on the processor."""

import ctypes
from array import array
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from tinyseg import native
from tinyseg.native.calling import address, call, rows, whole
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.backend import Gradients, Kernel

_STEPS = 16  # from one kept state to the next, as in scan.h


class Native(Kernel):
    """Vectors over channels, states in registers; softplus, skip and gate are part of it."""

    name = "native"

    def unavailable(self) -> str | None:
        """Where the package was installed without a C compiler."""
        return native.unavailable()

    def broken(self) -> str | None:
        """Where a library was built that does not open, or is stale."""
        return native.broken()

    def refuses(self, arguments: Arguments) -> str | None:
        """Takes float32 on the processor, B and C variable in time, zero-order hold."""
        x = arguments.x
        if x.device.type != "cpu" or x.dtype != torch.float32:
            return f"takes float32 on the processor, not {x.dtype} on {x.device}"
        if not arguments.vary_in_time:
            return "needs B and C that vary in time"
        if arguments.discretisation != "zoh":
            return "knows the discretisation 'zoh' alone"
        return None

    def starts_shape(self, arguments: Arguments) -> tuple[int, ...]:
        """(batch, blocks, states, channels), both padded to whole vectors."""
        batch, length, channels = arguments.x.shape
        padded = -(-arguments.A.shape[1] // 8) * 8, -(-channels // 16) * 16
        return batch, -(-length // _STEPS), *padded

    def forward(self, arguments: Arguments, keep_starts: bool) -> tuple[Tensor, Tensor, Tensor]:
        """See `Kernel.forward`."""
        arguments = _readable(arguments)
        x, states = arguments.x, arguments.A.shape[1]
        y = x.new_empty(x.shape)
        last = x.new_empty(x.shape[0], x.shape[2], states)
        starts = x.new_empty(self.starts_shape(arguments) if keep_starts else 0)
        scan = _scan(arguments)
        kept = starts.data_ptr() if keep_starts else None
        call(_functions()[0], scan.buffer_info()[0], y.data_ptr(), last.data_ptr(), kept)
        return y, last, starts

    def backward(self, arguments: Arguments, starts: Tensor, grad_y: Tensor) -> Gradients:
        """See `Kernel.backward`."""
        arguments, grad_y = _readable(arguments), rows(grad_y)
        gradients = [None if t is None else t.new_empty(t.shape) for t in arguments.tensors]
        scan = _scan(arguments)
        outputs = array("q", [address(t) for t in gradients])
        call(
            _functions()[1],
            scan.buffer_info()[0],
            starts.data_ptr(),
            _Sequence(grad_y.data_ptr(), grad_y.stride(0), grad_y.stride(1), 1),
            outputs.buffer_info()[0],
        )
        return Gradients(*gradients)  # pyright: ignore[reportArgumentType]


class _Sequence(ctypes.Structure):
    """``tinyseg_sequence`` of scan.h."""

    _fields_ = [(name, ctypes.c_int64) for name in ("data", "batch", "row", "column")]


@cache
def _functions() -> tuple[Callable[..., int], Callable[..., int]]:
    library = native.library()
    assert library is not None
    pointer = ctypes.c_void_p
    forward, backward = library.tinyseg_scan_forward, library.tinyseg_scan_backward
    forward.argtypes = [pointer, pointer, pointer, pointer]
    backward.argtypes = [pointer, pointer, _Sequence, pointer]
    return forward, backward


def _readable(arguments: Arguments) -> Arguments:
    """Rows of channels without gaps, vectors and matrices contiguous; copies where they are not."""
    return arguments._replace(
        x=rows(arguments.x),
        delta=rows(arguments.delta),
        A=arguments.A.contiguous(),
        D=whole(arguments.D),
        z=None if arguments.z is None else rows(arguments.z),
        delta_bias=whole(arguments.delta_bias),
    )


def _scan(arguments: Arguments) -> "array[int]":
    """``tinyseg_scan`` of scan.h, field by field."""
    x, delta, A, B, C, D, z, bias = arguments.tensors
    assert x is not None and delta is not None and B is not None and C is not None
    assert A is not None
    sequences = (
        (0, 0, 0, 0) if tensor is None else (tensor.data_ptr(), *tensor.stride())
        for tensor in (x, delta, B, C, z)
    )
    return array(
        "q",
        [
            torch.get_num_threads(),
            *x.shape,
            A.shape[1],
            arguments.delta_softplus,
            *(value for sequence in sequences for value in sequence),
            *(address(tensor) for tensor in (A, D, bias)),
        ],
    )
