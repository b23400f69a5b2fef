"""Layers over native kernels against PyTorch's: group norm, alone and with a max-pool, and the
causal convolution with SiLU.

Contestants take turns as in `benchmarks.scan`, in CPU time. Norms are ours with channels
innermost against PyTorch's in either memory layout; the convolution is ours against a padded
`torch.nn.Conv1d` between two transpositions and against a depthwise convolution in two dimensions.
"""

import argparse
import json
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks import timing
from benchmarks.figures import ratio, three_digits
from benchmarks.problems import FORWARD, PHASES
from benchmarks.process import add_options, circumstances, conditions, end, say, settle
from tinyseg import native
from tinyseg.errors import UsageError
from tinyseg.layers.causal_conv import causal_conv_silu
from tinyseg.layers.group_norm import GroupNorm
from tinyseg.layers.norm_pool import norm_max_pool

_SECONDS = 60.0
_GROUPS = 4
_TAPS = 4
_OURS = "native"
#: (batch, channels, height, width): UL-VM-UNet's at batch 8, largest first.
PICTURES = [(8, 8, 256, 256), (8, 16, 128, 128), (8, 24, 64, 64), (8, 32, 32, 32), (8, 64, 8, 8)]
#: Those that its encoder pools.
POOLED = PICTURES[:4]
#: (batch, length, channels), of which x is the left half of a tensor twice as wide, as in Mamba.
SEQUENCES = [(32, 1024, 12), (32, 256, 16), (8, 1024, 32), (2, 256, 1024)]

Contestant = tuple[Callable[..., Tensor], tuple[Tensor, ...]]


def main() -> None:
    options = _options()
    if (problem := native.unavailable()) is not None:
        raise UsageError("There are no native kernels to compare.", problem)
    settle(options.allocator, options.threads, options.seconds)
    cases = [("group norm", shape, group_norms(*shape)) for shape in PICTURES]
    cases += [("norm and pool", shape, norm_pools(*shape)) for shape in POOLED]
    cases += [("causal convolution", shape, convolutions(*shape)) for shape in SEQUENCES]
    share = (options.seconds or _SECONDS) / len(cases) / len(PHASES)
    results = [row for case in cases for row in compare(*case, share)]
    document = {"schema": 1, **circumstances(options.allocator, options.threads)}
    document["results"] = results
    if options.json:
        print(json.dumps(document))
    else:
        Console().print(_table(document))


def group_norms(batch: int, channels: int, height: int, width: int) -> dict[str, Contestant]:
    """Ours and PyTorch's; each with its input, weight and bias."""
    layer = GroupNorm(_GROUPS, channels)
    return _in_both_layouts((batch, channels, height, width), layer, layer, _normed)


def norm_pools(batch: int, channels: int, height: int, width: int) -> dict[str, Contestant]:
    """The same with a max-pool after the norm."""
    layer = GroupNorm(_GROUPS, channels)

    def pytorchs(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.max_pool2d(_normed(x, weight, bias), 2)

    return _in_both_layouts(
        (batch, channels, height, width), layer, lambda x: norm_max_pool(x, layer), pytorchs
    )


def _normed(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.group_norm(x, _GROUPS, weight, bias)


def _in_both_layouts(
    shape: tuple[int, ...],
    layer: GroupNorm,
    own: Callable[[Tensor], Tensor],
    pytorchs: Callable[..., Tensor],
) -> dict[str, Contestant]:
    x = torch.randn(shape).contiguous(memory_format=torch.channels_last)

    def ours(x: Tensor, *_: Tensor) -> Tensor:
        return own(x)

    inputs = (x.requires_grad_(), layer.weight, layer.bias)
    first = (x.detach().contiguous().requires_grad_(), *inputs[1:])
    return {
        _OURS: (ours, inputs),
        "channels first": (pytorchs, first),
        "channels last": (pytorchs, inputs),
    }


def convolutions(batch: int, length: int, channels: int) -> dict[str, Contestant]:
    """Ours and two of PyTorch's; all with the same input, weight and bias."""
    wide = torch.randn(batch, length, 2 * channels)
    weight, bias = torch.randn(channels, 1, _TAPS), torch.randn(channels)
    inputs = tuple(t.requires_grad_() for t in (wide[..., :channels], weight, bias))
    return {
        _OURS: (causal_conv_silu, inputs),
        "conv1d": (_by_conv1d, inputs),
        "conv2d": (_by_conv2d, inputs),
    }


def _by_conv1d(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    channels, _, taps = weight.shape
    y = F.conv1d(x.transpose(1, 2), weight, bias, padding=taps - 1, groups=channels)
    return F.silu(y[..., : x.shape[1]].transpose(1, 2))


def _by_conv2d(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    channels, _, taps = weight.shape
    padded = F.pad(x, (0, 0, taps - 1, 0)).transpose(1, 2).unsqueeze(-1)
    y = F.conv2d(padded, weight.unsqueeze(-1), bias, groups=channels)
    return F.silu(y.squeeze(-1).transpose(1, 2))


def compare(
    layer: str, shape: tuple[int, ...], contestants: dict[str, Contestant], seconds: float
) -> list[dict[str, Any]]:
    """How many times faster ours is than each rival, in both phases."""
    rows: list[dict[str, Any]] = []
    for phase in PHASES:
        say(f"{layer} {shape}, {phase}")
        actions = {name: _action(*contestants[name], phase) for name in contestants}
        times = timing.in_turn(actions, seconds, timing.on_device("cpu"))
        ours = times[_OURS].seconds
        rows += [
            {
                "layer": layer,
                "shape": list(shape),
                "phase": phase,
                "rival": name,
                "seconds": times[_OURS].median,
                "ratio": ratio(times[name].seconds, ours),
            }
            for name in contestants
            if name != _OURS
        ]
    return rows


def _action(function: Callable[..., Tensor], inputs: tuple[Tensor, ...], phase: str):
    grad_y = torch.randn_like(function(*inputs))

    def forward() -> None:
        with torch.no_grad():
            function(*inputs)

    def both() -> None:
        torch.autograd.grad(function(*inputs), inputs, grad_y)

    return forward if phase == FORWARD else both


def _table(document: dict[str, Any]) -> Table:
    table = Table(title="Layers: times faster than PyTorch's", caption=conditions(document))
    table.add_column("layer, rival")
    table.add_column("shape")
    for phase in PHASES:
        table.add_column(phase, justify="right")
    by_phase = [[r for r in document["results"] if r["phase"] == phase] for phase in PHASES]
    for row in zip(*by_phase, strict=True):
        shape = ", ".join(map(str, row[0]["shape"]))
        figures = (three_digits(r["ratio"]) for r in row)
        table.add_row(f"{row[0]['layer']}, {row[0]['rival']}", shape, *figures)
    return table


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.layers", description=__doc__)
    add_options(parser)
    return parser.parse_args()


if __name__ == "__main__":
    end(main)
