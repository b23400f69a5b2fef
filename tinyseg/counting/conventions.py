"""What one network counts by each of the conventions that publications use."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tinyseg.layers import Mamba
from tinyseg.runs.records import Convention, Macs

_CONVOLUTIONS = (
    nn.Conv1d, nn.Conv2d, nn.Conv3d,
    nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
)  # fmt: skip
_NORMS = (
    nn.LayerNorm,
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d,
    nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d,
)  # fmt: skip
_POOLS = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
_ADAPTIVE_POOLS = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
_RESIZING = {"nearest": 1, "linear": 5, "bilinear": 11, "bicubic": 259}

_ELEMENTWISE = "element-wise operations, softmax, max-pooling"


class ScanSize(NamedTuple):
    """Size of one selective scan.

    Attributes:
        steps: batch x length x channels.
        states: states a channel.
    """

    steps: int
    states: int


def conventions(macs: Macs, scans: Sequence[ScanSize], published: int) -> list[Convention]:
    """The conventions side by side.

    9 B L D N are the FLOPs of a parallel prefix scan, as Mamba's authors count them
    (state-spaces/mamba, issue 110); 2 B L D more are its skip and its gate.

    Args:
        macs: fvcore's, the recurrence's and both.
        scans: every scan of the network.
        published: what `published_macs` gives.
    """
    parallel = sum(9 * scan.steps * scan.states for scan in scans)
    around = sum(2 * scan.steps for scan in scans)
    fused = (
        "all inside Mamba; group and RMS norm; functions that are no layer, such as matrix products"
    )
    rest = f"the scan's exponentials; {_ELEMENTWISE}"
    return [
        _macs("fvcore", macs.fvcore, f"the scan's recurrence; {_ELEMENTWISE}"),
        _macs("scan, 4 B L D N + 3 B L D", macs.scan, "all but the scan; exponentials"),
        _macs("fvcore + scan", macs.total, rest),
        _flops("2 x (fvcore + scan)", 2 * macs.total, rest),
        _flops("scan, 9 B L D N", parallel, "all but the scan; skip and gate"),
        _flops("scan, 9 B L D N + 2 B L D", parallel + around, "all but the scan"),
        _macs("thop, fused Mamba", published, fused),
    ]


def published_macs(network: nn.Module, example: Tensor) -> int:
    """Multiply-accumulates as thop 0.1.1 counts them where Mamba runs in its fused form.

    Layers count by their kind, at every call; functions do not count. The fused form calls none of
    the layers inside Mamba. As in thop, every output of a transposed convolution has all its taps.
    Unlike in thop, softmax, PReLU and recurrent layers count 0.

    Args:
        network: in evaluation mode.
        example: an input.
    """
    total = 0

    def add(layer: nn.Module, given: tuple[Any, ...], named: dict[str, Any], y: Any) -> None:
        nonlocal total
        x = next(iter((*given, *named.values())), None)
        total += _by_thop(layer, x, y)

    mambas = [layer for layer in network.modules() if isinstance(layer, Mamba)]
    inside = {layer for mamba in mambas for layer in mamba.modules()}
    seen = [layer for layer in network.modules() if layer not in inside]
    hooks = [layer.register_forward_hook(add, with_kwargs=True) for layer in seen]
    try:
        with torch.no_grad():
            network(example)
    finally:
        for hook in hooks:
            hook.remove()
    return total


def _by_thop(layer: nn.Module, x: Any, y: Any) -> int:
    if isinstance(layer, _ADAPTIVE_POOLS):
        return x.numel() + y.numel()
    each = 0  # of an output element
    if isinstance(layer, nn.Linear):
        each = layer.in_features
    elif isinstance(layer, _CONVOLUTIONS):
        each = layer.in_channels // layer.groups * math.prod(layer.kernel_size)
    elif isinstance(layer, _NORMS):
        each = 4 if any(True for _ in layer.parameters()) else 2
    elif isinstance(layer, nn.Upsample):
        each = _RESIZING.get(layer.mode, 0)
    elif isinstance(layer, _POOLS):
        each = 1
    return each * y.numel() if each else 0


def _macs(name: str, value: int, leaves_out: str) -> Convention:
    return Convention(name=name, unit="MACs", value=value, leaves_out=leaves_out)


def _flops(name: str, value: int, leaves_out: str) -> Convention:
    return Convention(name=name, unit="FLOPs", value=value, leaves_out=leaves_out)
