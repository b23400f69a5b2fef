"""A child process of `benchmarks.export_peers`: other ways to a file of the same network.

Reads one JSON document, {"way", "network", "size", "path"}; answers with the number of nodes.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

import tinyseg.scan.sequence
from benchmarks.contestants import loop_scan
from tinyseg.children import serve
from tinyseg.exporters import resolve
from tinyseg.scan import scan_form
from tinyseg.scan.arguments import Arguments

_OPSET = 20
_LEGACY_OPSET = 18  # the last that the legacy exporter knows well


def main() -> None:
    """Converts."""
    request = json.load(sys.stdin)
    network = resolve(request["network"], size=request["size"]).network().requires_grad_(False)
    example = torch.rand(1, 3, request["size"], request["size"])
    with torch.no_grad():
        nodes = WAYS[request["way"]](network, example, Path(request["path"]))
    serve({"nodes": nodes})


def legacy_loop(network: nn.Module, example: Tensor, path: Path) -> int:
    """PyTorch's first exporter, of a loop over time."""
    with _scanning(_loop):
        return _legacy(network, example, path)


def legacy_chunks(network: nn.Module, example: Tensor, path: Path) -> int:
    """PyTorch's first exporter, of tinyseg's chunks of eight steps."""
    with scan_form("g8"):
        return _legacy(network, example, path)


def legacy_operator(network: nn.Module, example: Tensor, path: Path) -> int:
    """PyTorch's first exporter, of PyTorch's scan operator."""
    with scan_form("hop2"):
        return _legacy(network, example, path)


def unrolled_archive(network: nn.Module, example: Tensor, path: Path) -> int:
    """`torch.export` of a loop over time."""
    with _scanning(_loop):
        program = torch.export.export(network, (example,))
    torch.export.save(program, path)
    return sum(node.op == "call_function" for node in program.graph.nodes)


def linear_attention(network: nn.Module, example: Tensor, path: Path) -> int:
    """PyTorch's exporter, the scan being ONNX Runtime's own operator LinearAttention."""
    import onnx

    with _scanning(_as_attention):
        program = torch.onnx.export(
            network, (example,), dynamo=True, opset_version=_OPSET, verbose=False
        )
    assert program is not None
    model = program.model_proto
    for entry in model.opset_import:
        if entry.domain == "com.microsoft":
            entry.version = 1  # PyTorch stamps it with the version of ONNX's own operators
    onnx.save(model, path)
    return len(model.graph.node)


def _legacy(network: nn.Module, example: Tensor, path: Path) -> int:
    import onnx

    torch.onnx.export(network, (example,), path, dynamo=False, opset_version=_LEGACY_OPSET)
    return len(onnx.load(path).graph.node)


def _scanning(scan: Callable[[Arguments], Tensor]) -> Any:
    def in_form(arguments: Arguments, _: str) -> tuple[Tensor, None]:
        return arguments.finish(scan(arguments)), None

    return mock.patch.object(tinyseg.scan.sequence, "_in_form", in_form)


def _loop(arguments: Arguments) -> Tensor:
    x, _, A, B, C, *_ = arguments
    return loop_scan(x, arguments.steps(), A, B, C, torch.zeros(x.shape[-1]))


def _as_attention(arguments: Arguments) -> Tensor:
    """A head a channel: keys are B and queries C, which every head needs a copy of."""
    x, _, A, B, C, *_ = arguments
    delta, channels = arguments.steps(), x.shape[-1]
    given = (C.repeat(1, 1, channels), B.repeat(1, 1, channels), delta * x)
    decay = (delta.unsqueeze(-1) * A).flatten(2)
    heads = {"q_num_heads": channels, "kv_num_heads": channels}
    y, _ = torch.onnx.ops.symbolic_multi_out(
        "com.microsoft::LinearAttention",
        (*given, None, decay),
        {**heads, "update_rule": "gated", "scale": 1.0},
        dtypes=(x.dtype, x.dtype),
        shapes=(x.shape, (len(x), channels, A.shape[1], 1)),
        version=1,
    )
    return y


WAYS: dict[str, Callable[[nn.Module, Tensor, Path], int]] = {
    "legacy, loop": legacy_loop,
    "legacy, chunks": legacy_chunks,
    "legacy, operator": legacy_operator,
    "archive, loop": unrolled_archive,
    "LinearAttention": linear_attention,
}


if __name__ == "__main__":
    main()
