"""Parameters and multiply-accumulates of a network, by fvcore."""

import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn

from tinyseg.counting.conventions import ScanSize, conventions, published_macs
from tinyseg.layers import ToPicture
from tinyseg.runs.records import CountRecord, Macs, Stage
from tinyseg.scan import scan_form
from tinyseg.scan.operator import NAME as SCAN

_BETWEEN = "(between stages)"
_TO_PICTURE = "to_picture"


def count(
    network: nn.Module,
    shape: Sequence[int] = (1, 3, 256, 256),
    *,
    name: str,
    arguments: Mapping[str, Any] | None = None,
) -> CountRecord:
    """Counts a network at one input shape.

    Multiply-accumulates are what fvcore calls flops: products of convolutions and linear layers, 5
    an element for affine norms, 4 an output element for bilinear resizing, 1 an input element for
    adaptive average pooling, 0 for activations and element-wise operations. The recurrence of the
    selective scan is counted by `scan_macs` and shown apart. Resizing by `ToPicture` counts 0, as
    in published counts, and is named ``to_picture`` among what is not counted.

    Args:
        network: maps the shape to logits; it is left in evaluation mode.
        shape: (batch, channels, height, width).
        name: its name, for the record.
        arguments: its arguments, for the record.
    """
    example = torch.zeros(*shape)
    network.eval()
    unused = _unused(network, example)  # untraced: here a network may refuse the shape
    scans: list[ScanSize] = []

    def counted(inputs: list[Any], outputs: list[Any]) -> int:
        scans.append(_scan_size(inputs))
        return scan_macs(inputs, outputs)

    with _quiet(), scan_form("operator"), torch.no_grad():
        analysis = FlopCountAnalysis(network, example)
        analysis.set_op_handle(SCAN, counted)
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        by_module = analysis.by_module()
        resizing = _resizing(network, by_module)
        total = int(analysis.total()) - sum(resizing.values())
        scan = int(analysis.by_operator()[SCAN.rpartition(":")[2]])
        uncounted = dict(sorted(analysis.unsupported_ops().items()))
    if resizing:
        uncounted[_TO_PICTURE] = len(resizing)
    stages = _stages(network, total, by_module, resizing)
    macs = Macs(fvcore=total - scan, scan=scan, total=total)
    return CountRecord(
        network=name,
        arguments=dict(arguments or {}),
        input=tuple(shape),
        parameters=sum(stage.parameters for stage in stages),
        unused_parameters=unused,
        macs=macs,
        flops=2 * total,
        stages=stages,
        uncounted=uncounted,
        conventions=conventions(macs, scans, published_macs(network, example)),
    )


def scan_macs(inputs: list[Any], outputs: list[Any]) -> int:
    """Sequential multiply-accumulates of one scan, skip and gate included.

    For each of batch, step, channel and state: the products delta A and (delta x) B, the update
    a h + b and the read-out C h; for each of batch, step and channel: delta x, D x and the gate.
    That is 4 B L D N + 3 B L D; exponentials count 0.
    """
    del outputs
    steps, states = _scan_size(inputs)
    return steps * (4 * states + 3)


def _scan_size(inputs: list[Any]) -> ScanSize:
    steps = math.prod(inputs[0].type().sizes())
    return ScanSize(steps, states=inputs[2].type().sizes()[1])


def _resizing(network: nn.Module, by_module: Mapping[str, float]) -> dict[str, int]:
    """Multiply-accumulates of every `ToPicture`, by its name."""
    return {
        name: int(by_module[name])
        for name, module in network.named_modules()
        if isinstance(module, ToPicture)
    }


def _stages(
    network: nn.Module, total: int, by_module: Mapping[str, float], resizing: Mapping[str, int]
) -> list[Stage]:
    stages = [
        Stage(
            name=name,
            parameters=sum(p.numel() for p in part.parameters()),
            macs=int(by_module.get(name, 0))
            - sum(macs for inside, macs in resizing.items() if f"{inside}.".startswith(f"{name}.")),
        )
        for name, part in network.named_children()
    ]
    own = sum(p.numel() for p in network.parameters(recurse=False))
    rest = total - sum(stage.macs for stage in stages)
    if own or rest:
        stages.append(Stage(name=_BETWEEN, parameters=own, macs=rest))
    return stages


def _unused(network: nn.Module, example: Tensor) -> int:
    """Parameters that no output depends on."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    if not parameters:
        return 0
    with torch.enable_grad():
        grads = torch.autograd.grad(network(example).sum(), parameters, allow_unused=True)
    return sum(
        p.numel()
        for p, grad in zip(parameters, grads, strict=True)
        if grad is None  # pyright: ignore[reportUnnecessaryComparison]
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences what tracing a network for its shapes warns about."""
    logger = logging.getLogger("fvcore.nn.jit_analysis")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
