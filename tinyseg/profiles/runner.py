"""Measures one network in one runtime; a program of its own that needs NumPy and that runtime.

It reads a request as JSON on standard input, and its last line on standard output is the answer as
JSON. For onnxruntime and litert it imports nothing else of tinyseg, so that it can be copied to a
device; torch needs the network, and any other runtime the session of its exporter.

Request: ``runtime``, ``file``, ``input`` (shape), ``threads``, ``min_iterations``,
``min_seconds``, ``max_seconds``; for torch also ``network``, ``arguments``, ``in_channels`` and
``classes``; for an artifact ``format``.

Answer: ``cold_start_ms`` (loading the file and the first inference), ``samples_ms`` (one an
inference, after warm-up), ``baseline_bytes`` (peak of the process after importing the runtime),
``peak_bytes``, ``processor_share`` (processor time over wall time) and ``versions``.
"""

import gc
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

_WARM_UP_ITERATIONS = 5
_WARM_UP_SHARE = 0.25  # of the longest time a measurement may take

Infer = Callable[[], Any]


def main() -> None:
    """Answers one request."""
    request = json.load(sys.stdin)
    images = np.random.default_rng(0).standard_normal(request["input"], np.float32)
    load, version = _RUNTIMES.get(request["runtime"], _session)(request, images)
    baseline = _peak_bytes()
    begun = time.perf_counter()
    infer = load()
    infer()
    cold_start = time.perf_counter() - begun
    _warm_up(infer, request["max_seconds"] * _WARM_UP_SHARE)
    samples, share = _measure(infer, request)
    answer = {
        "cold_start_ms": cold_start * 1e3,
        "samples_ms": samples,
        "baseline_bytes": baseline,
        "peak_bytes": _peak_bytes(),
        "processor_share": share,
        "versions": {request["runtime"]: version, "numpy": np.__version__},
    }
    sys.stdout.flush()
    print("\n" + json.dumps(answer), flush=True)


def _warm_up(infer: Infer, seconds: float) -> None:
    end = time.perf_counter() + seconds
    for _ in range(_WARM_UP_ITERATIONS):
        if time.perf_counter() >= end:
            break
        infer()


def _measure(infer: Infer, request: dict[str, Any]) -> tuple[list[float], float]:
    """Milliseconds of each inference, and processor time over wall time."""
    samples: list[float] = []
    gc.collect()
    gc.disable()
    begun, processor_begun = time.perf_counter(), time.process_time()
    elapsed = 0.0
    while not samples or (
        elapsed < request["max_seconds"]
        and (len(samples) < request["min_iterations"] or elapsed < request["min_seconds"])
    ):
        start = time.perf_counter_ns()
        infer()
        samples.append((time.perf_counter_ns() - start) / 1e6)
        elapsed = time.perf_counter() - begun
    return samples, (time.process_time() - processor_begun) / elapsed


def _onnxruntime(request: dict[str, Any], images: Any) -> tuple[Callable[[], Infer], str]:
    import onnxruntime

    def load() -> Infer:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = request["threads"]
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            request["file"], options, providers=["CPUExecutionProvider"]
        )
        feed = {session.get_inputs()[0].name: images}
        return lambda: session.run(None, feed)

    return load, onnxruntime.__version__


def _litert(request: dict[str, Any], images: Any) -> tuple[Callable[[], Infer], str]:
    from importlib.metadata import version

    from ai_edge_litert.interpreter import Interpreter

    def load() -> Infer:
        interpreter = Interpreter(model_path=request["file"], num_threads=request["threads"])
        interpreter.allocate_tensors()
        source: Any = interpreter.get_input_details()[0]
        target = interpreter.get_output_details()[0]["index"]
        given = _quantised(images, source["dtype"], *source["quantization"])

        def infer() -> Any:
            interpreter.set_tensor(source["index"], given)
            interpreter.invoke()
            return interpreter.get_tensor(target)

        return infer

    return load, version("ai-edge-litert")


def _quantised(images: Any, dtype: Any, scale: float, zero_point: int) -> Any:
    """Images as the input of a file takes them, whole numbers or float32."""
    if dtype is np.float32:
        return images
    limits = np.iinfo(dtype)
    return np.clip(np.rint(images / scale) + zero_point, limits.min, limits.max).astype(dtype)


def _torch(request: dict[str, Any], images: Any) -> tuple[Callable[[], Infer], str]:
    import torch
    from safetensors.torch import load_file

    from tinyseg.layers.memory_layout import in_fast_layout
    from tinyseg.networks import build

    torch.set_num_threads(request["threads"])
    torch.set_num_interop_threads(1)
    torch.set_flush_denormal(True)
    tensor = in_fast_layout(torch.from_numpy(images))

    def load() -> Infer:
        network = build(
            request["network"],
            in_channels=request["in_channels"],
            classes=request["classes"],
            **request["arguments"],
        )
        network.load_state_dict(load_file(request["file"]))
        network.eval()

        def infer() -> Any:
            with torch.inference_mode():
                return network(tensor)

        return infer

    return load, torch.__version__


def _session(request: dict[str, Any], images: Any) -> tuple[Callable[[], Infer], str]:
    """The runtime of any other exporter."""
    from importlib import import_module
    from importlib.metadata import PackageNotFoundError, version
    from pathlib import Path

    from tinyseg.exporters.base import load_exporter

    exporter = load_exporter(request["format"])
    packages = [import_module(name) for name in exporter.runs_with]

    def load() -> Infer:
        run = exporter.session(Path(request["file"]), request["threads"])
        return lambda: run(images)

    if not packages:
        return load, "built in"
    number = getattr(packages[0], "__version__", None)
    if number is None:
        try:
            number = version(packages[0].__name__)
        except PackageNotFoundError:
            number = "unknown"
    return load, number


_RUNTIMES = {"torch": _torch, "onnxruntime": _onnxruntime, "litert": _litert}


def _peak_bytes() -> int:
    """The most memory this program held; unlike ru_maxrss, Linux's VmHWM leaves out its parent."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123
            line = next(line for line in status if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main()
