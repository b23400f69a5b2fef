"""The kernels of mamba-ssm and causal-conv1d, where they are installed and load."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec

import torch
from torch import Tensor

from tinyseg.errors import TinysegError
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.backend import Backend

_MOST_STATES = 256  # that mamba-ssm's kernel takes
_INSTALL = (
    "Where nvcc is, install it with: "
    "MAMBA_KEEP_CUDA_BUILD=TRUE pip install --no-build-isolation 'tinyseg[cuda]'"
)
_REBUILD = (
    "Where nvcc is, build it anew for this PyTorch with: "
    "MAMBA_KEEP_CUDA_BUILD=TRUE MAMBA_FORCE_BUILD=TRUE pip install --force-reinstall "
    "--no-cache-dir --no-deps --no-build-isolation --no-binary mamba-ssm mamba-ssm"
)


class MambaSSM(Backend):
    """mamba-ssm's ``selective_scan_fn``, time innermost: inputs and outputs are transposed."""

    name = "cuda"

    def unavailable(self) -> str | None:
        """Without mamba-ssm, or where its compiled scan does not load."""
        if find_spec("mamba_ssm") is None:
            return f"mamba-ssm is not installed. {_INSTALL}"
        return _what_fails()

    def broken(self) -> str | None:
        """See `Backend.broken`."""
        return None if find_spec("mamba_ssm") is None else _what_fails()

    def refuses(self, arguments: Arguments) -> str | None:
        """Takes float32 on a CUDA device, zero-order hold, at most 256 states."""
        x, states = arguments.x, arguments.A.shape[1]
        if x.device.type != "cuda":
            return f"takes tensors on a CUDA device, not on {x.device}"
        if x.dtype != torch.float32:
            return f"takes float32, not {x.dtype}"
        if arguments.discretisation != "zoh":
            return "knows the discretisation 'zoh' alone"
        if not 0 < states <= _MOST_STATES:
            return f"takes 1 to {_MOST_STATES} states, not {states}"
        return None if x.numel() else "takes no empty tensors"

    def scan(self, arguments: Arguments) -> tuple[Tensor, Tensor]:
        """See `Backend.scan`; sums by atomics: gradients differ in the last digits between runs."""
        x, delta, A, B, C, D, z, bias = arguments.tensors
        scan_fn = import_module("mamba_ssm.ops.selective_scan_interface").selective_scan_fn
        y, last = scan_fn(
            _time_last(x),
            _time_last(delta),
            A,
            _time_last(B),
            _time_last(C),
            D,
            _time_last(z),
            bias,
            arguments.delta_softplus,
            True,
        )
        if y.requires_grad:
            y.register_hook(_once)
        return y.transpose(1, 2), last.detach()


def causal_conv1d_unavailable() -> str | None:
    """Why `causal_conv1d_silu` cannot work in this installation; None where it can."""
    if find_spec("causal_conv1d") is None:
        return "causal-conv1d is not installed."
    try:
        import_module("causal_conv1d_cuda")
        import_module("causal_conv1d")
    except Exception as error:
        return f"causal-conv1d does not load: {_first_line(error)}."
    return None


def causal_conv1d_silu(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """SiLU of a causal convolution of each channel, by causal-conv1d's kernel.

    Args:
        x: (batch, length, channels), on a CUDA device.
        weight: (channels, taps), 2 to 4 taps, the last one for the present.
        bias: (channels).

    Returns:
        (batch, length, channels).
    """
    x = x.transpose(1, 2)
    # Channels innermost are taken as they are only in rows of whole eights.
    if x.stride(1) != 1 or any(size % 8 for size in (x.shape[1], x.stride(0), x.stride(2))):
        x = x.contiguous()
    convolve = import_module("causal_conv1d").causal_conv1d_fn
    return convolve(x, weight, bias, activation="silu").transpose(1, 2)


@cache
def _what_fails() -> str | None:
    """What is wrong with an installed mamba-ssm, with the mend."""
    try:
        import_module("selective_scan_cuda")
    except ModuleNotFoundError as error:
        return (
            f"mamba-ssm is installed without its compiled scan ({_first_line(error)}). {_REBUILD}"
        )
    except Exception as error:  # a library that does not fit raises anything
        return f"The compiled scan of mamba-ssm does not load ({_first_line(error)}). {_REBUILD}"
    try:
        import_module("mamba_ssm.ops.selective_scan_interface")
    except Exception as error:
        return f"mamba-ssm does not load ({_first_line(error)}). Install what it lacks, or it anew."
    return None


def _once(grad_y: Tensor) -> None:
    """Without this, second derivatives through the kernel would be left out without a word."""
    if torch.is_grad_enabled() and grad_y.requires_grad:
        raise TinysegError(
            "The scan backend 'cuda' has no second derivative.", "Use the backend 'reference'."
        )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _time_last(tensor: Tensor | None) -> Tensor | None:
    """(batch, channels, length) of a sequence; what is constant in time as it is."""
    return tensor if tensor is None or tensor.dim() < 3 else tensor.transpose(1, 2)
