"""Peak memory of a training step of a scan, above its inputs, in state tensors.

A state tensor is batch x length x channels x states numbers. The figure is the growth of the peak
from one batch to three, over what the state tensor grows, so that what does not grow drops out.

On the processor it is the resident memory, as the system counts it, of a process whose allocator
gives freed blocks back at once: PyTorch's tensors and the native kernels' memory count alike. On a
CUDA device it is what PyTorch's allocator handed out.
"""

import ctypes
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import torch

from benchmarks.contestants import backends, rivals
from benchmarks.figures import slope
from benchmarks.problems import SHAPES, Scan, Shape, draw
from benchmarks.process import RETURNING, allocator_environment, say
from benchmarks.timing import Action

_PROCESS = Path("/proc/self")
_TRIES = 2  # the heap of small blocks falls out a little differently each time


def peaks(device: str, shapes: dict[str, Shape] = SHAPES) -> dict[str, dict[str, float]] | None:
    """Peak by scan and shape; None where this system does not tell."""
    if device != "cpu":
        return _peaks(device, shapes)
    if not (_PROCESS / "clear_refs").exists():
        return None
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", json.dumps(shapes)],
        stdout=subprocess.PIPE,
        check=True,
        env=allocator_environment(os.environ, RETURNING),
    )
    return json.loads(done.stdout)


def _peaks(device: str, shapes: dict[str, Shape]) -> dict[str, dict[str, float]]:
    scans = {**rivals(), **backends(device)}
    for scan in scans.values():  # what a first call sets up is not the scan's
        draw(Shape(1, 4, 8), device).both(scan)
    found: dict[str, dict[str, float]] = {name: {} for name in scans}
    for label, shape in shapes.items():
        say(f"Peak memory of {label}")
        for name, scan in scans.items():
            first, third = (_peak(scan, shape, batches, device) for batches in (1, 3))
            found[name][label] = slope(first, third, shape.state_bytes)
    return found


def _peak(scan: Scan, shape: Shape, batches: int, device: str) -> int:
    """Bytes above the inputs, the fewest of some tries."""
    problem = draw(shape._replace(batch=batches * shape.batch), device)
    peak_of = _resident_peak if device == "cpu" else _allocated_peak
    return min(peak_of(lambda: problem.both(scan)) for _ in range(_TRIES))


def _resident_peak(action: Action) -> int:
    ctypes.CDLL(None).malloc_trim(0)
    (_PROCESS / "clear_refs").write_text("5")  # forgets the peak so far
    before = _resident("VmRSS")
    action()
    return _resident("VmHWM") - before


def _allocated_peak(action: Action) -> int:
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    action()
    return torch.cuda.max_memory_allocated() - before


def _resident(field: str) -> int:
    status = (_PROCESS / "status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return 1024 * int(found[1])


def main() -> None:
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    shapes = {label: Shape(*shape) for label, shape in json.loads(sys.argv[1]).items()}
    print(json.dumps(_peaks("cpu", shapes)))


if __name__ == "__main__":
    main()
