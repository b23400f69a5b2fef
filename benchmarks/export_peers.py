"""What other ways to a file of the same network come to: works or fails, size, nodes, time.

Each way converts in a process of its own. What it writes is run beside PyTorch with mambapy and
tinyseg's own files, as `benchmarks.export` says; one that computes something else is told with its
difference. onnx2tf needs an environment of its own, since it wants other versions than tinyseg:
``--onnx2tf PYTHON`` names its interpreter, and it gets two of the ONNX files.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console

from benchmarks.export import (
    NETWORK,
    Contestant,
    Player,
    artifacts,
    measure,
    networks,
    picture,
)
from benchmarks.export_tables import tables
from benchmarks.process import add_options, circumstances, end, say, settle
from tinyseg.children import run_child
from tinyseg.errors import ChildError, TinysegError, UsageError
from tinyseg.exporters import resolve, tflite_file
from tinyseg.runs.machine import versions

_SECONDS, _QUICK_SECONDS = 120.0, 5.0
_SIZE, _QUICK_SIZE = 256, 64
_TIMEOUT_S = 1200.0
_LONGEST = 200  # characters of a reason
_PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "litert-torch", "openvino")
_OURS = ("onnx", "tflite", "openvino")


Failure = dict[str, str]


class Way(NamedTuple):
    """A way to a file.

    Attributes:
        title: in the table.
        name: of `benchmarks.peer_conversion`.
        format: whose exporter runs the file.
        suffix: of the file.
    """

    title: str
    name: str
    format: str
    suffix: str


WAYS = (
    Way("torch.onnx, legacy: a loop over time", "legacy, loop", "onnx", ".onnx"),
    Way("torch.onnx, legacy: chunks of eight", "legacy, chunks", "onnx", ".onnx"),
    Way("torch.onnx, legacy: PyTorch's scan", "legacy, operator", "onnx", ".onnx"),
    Way("torch.export: a loop over time", "archive, loop", "pt2", ".pt2"),
    Way("ONNX Runtime's LinearAttention", "LinearAttention", "onnx", ".onnx"),
)


def main() -> None:
    options = _options()
    settle(options.allocator, options.threads, options.seconds)
    if options.threads != 1:
        raise UsageError("--threads should be 1: what is compared is work, not cores.")
    size = options.size or (_QUICK_SIZE if options.quick else _SIZE)
    subject = resolve(NETWORK, size=size)
    with tempfile.TemporaryDirectory(prefix="tinyseg-") as name:
        folder = Path(name)
        ours = artifacts(subject, _OURS, folder)
        made = [made_by(way, size, folder, options.patience) for way in WAYS]
        if options.onnx2tf:
            for title, source in (
                ("tinyseg's portable ONNX file", f"{subject.name}-portable.onnx"),
                ("the legacy exporter's file, in chunks", "legacy-chunks.onnx"),
            ):
                made.append(_by_onnx2tf(options.onnx2tf, title, folder / source, options.patience))
        made = [_running(each, folder, picture(subject, folder)) for each in made]
        peers = [each for each in made if isinstance(each, Contestant)]
        seconds = options.seconds or (_QUICK_SECONDS if options.quick else _SECONDS)
        found = [*networks(size)[:1], *ours, *peers]
        results = measure(found, subject, folder, seconds, may_differ=True)
    failed = [each for each in made if not isinstance(each, Contestant)]
    document = {
        "schema": 1,
        **circumstances(options.allocator, options.threads),
        "runtimes": versions(_PACKAGES),
        "network": NETWORK,
        "size": size,
        "rival": results[0]["name"],
        "results": results,
        "failed": failed,
    }
    if options.json:
        print(json.dumps(document))
    else:
        for table in tables(document):
            Console().print(table)
        for failure in failed:
            Console().print(f"{failure['name']} failed: {failure['reason']}", highlight=False)


def made_by(way: Way, size: int, folder: Path, patience: float) -> Contestant | Failure:
    """Converts in a child process; a failure is told, not raised."""
    path = folder / f"{way.name.replace(', ', '-')}{way.suffix}"
    request = {"way": way.name, "network": NETWORK, "size": size, "path": str(path)}
    say(f"Converting: {way.title}")
    start = time.perf_counter()
    try:
        answer = run_child(
            "It",
            "benchmarks.peer_conversion",
            request,
            timeout_s=patience,
            environment={"PYTHONPATH": str(Path(__file__).parents[1])},
        )
    except ChildError as error:
        return {"name": way.title, "reason": str(error)}
    return _contestant(way.title, way.format, path, answer["nodes"], time.perf_counter() - start)


def _by_onnx2tf(python: Path, what: str, source: Path, patience: float) -> Contestant | Failure:
    title, out = f"onnx2tf: {what}", source.with_suffix(".onnx2tf")
    out.mkdir()
    say(f"Converting: {title}")
    # Without these pictures of its own for a comparison it would load some from the network.
    pictures = np.random.default_rng(0).random((20, 128, 128, 3)).astype(np.float32)
    np.save(out / "calibration_image_sample_data_20x128x128x3_float32.npy", pictures)
    program = "import sys; from onnx2tf import main; sys.exit(main())"
    command = [str(python), "-c", program, "-i", str(source), "-o", "made"]
    start = time.perf_counter()
    try:
        done = subprocess.run(
            command, cwd=out, capture_output=True, text=True, timeout=patience, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"name": title, "reason": str(error)}
    written = out / "made" / f"{source.stem}_float32.tflite"
    if done.returncode or not written.exists():
        return {"name": title, "reason": _last_error(done.stderr + done.stdout)}
    try:
        model = tflite_file.read(written)
    except TinysegError as error:
        return {"name": title, "reason": error.message}
    nodes = sum(len(graph.operators) for graph in model.subgraphs)
    return _contestant(title, "tflite", written, nodes, time.perf_counter() - start)


def _last_error(output: str) -> str:
    start = output.rfind("\n", 0, max(output.rfind("Error: "), 0)) + 1
    return " ".join(output[start:].split())[:_LONGEST] or "it said nothing"


def _running(made: Contestant | Failure, folder: Path, image: Path) -> Contestant | Failure:
    if isinstance(made, Contestant):
        try:
            Player(made, folder, image).end()
        except TinysegError as error:
            return {"name": made.name, "reason": error.message}
    return made


def _contestant(title: str, format_: str, path: Path, nodes: int, seconds: float) -> Contestant:
    figures = {
        "format": format_,
        "bytes": path.stat().st_size,
        "nodes": nodes,
        "export_seconds": seconds,
    }
    return Contestant(title, {"artifact": str(path), "format": format_}, figures)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export_peers", description=__doc__)
    add_options(parser)
    parser.add_argument("--quick", action="store_true", help="small pictures, a few rounds")
    parser.add_argument("--size", type=int, help=f"side of the picture; by default {_SIZE}")
    parser.add_argument(
        "--onnx2tf", type=Path, metavar="PYTHON", help="of an environment that has onnx2tf"
    )
    parser.add_argument(
        "--patience", type=float, default=_TIMEOUT_S, help="seconds for each conversion"
    )
    return parser.parse_args()


if __name__ == "__main__":
    end(main)
