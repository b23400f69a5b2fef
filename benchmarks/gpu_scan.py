"""The Triton scan on a CUDA device, against mamba-ssm's kernel or a scan in torch.

Run ``python -m benchmarks.gpu_scan``, with ``--json`` for numbers alone. Rounds are interleaved and
times are medians between events on the device. Beside each time stand the bytes that have to move
and the exponentials that have to be computed, by count, and how much of the time they explain: the
bytes at the rate of a copy measured here, the exponentials at 16 a multiprocessor and clock.
"""

import argparse
import itertools
import json
import statistics
import subprocess
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch._higher_order_ops.associative_scan import associative_scan

from tinyseg.scan import BACKENDS
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.mamba_ssm import MambaSSM
from tinyseg.scan.triton_scan import TritonScan

STATES = 16
#: (batch, channels, length): layers of compact networks, a wide one, a long one, a large one.
SHAPES = {
    "S1": (8, 32, 1024),
    "S2": (32, 12, 1024),
    "S3": (32, 32, 64),
    "S4": (2, 1024, 256),
    "S5": (1, 16, 16384),
    "large": (8, 1024, 2048),
}
PHASES = ("forward", "forward+backward")
_STEPS, _CHANNELS = 16, 16  # between kept states, of a program
_SPECIAL_LANES = 16  # of a multiprocessor, each an exponential a clock
_FLOAT = 4  # bytes

Scan = Callable[[Arguments], tuple[Tensor, Tensor]]


class Work(NamedTuple):
    """What a scan cannot do without, time in one piece."""

    bytes: int
    exponentials: int


def work(batch: int, channels: int, length: int, phase: str) -> Work:
    """Counts for the fused scan: gate, skip, bias and softplus."""
    sequence = batch * length * channels
    blocks = -(-channels // _CHANNELS)
    coefficients = 2 * batch * length * STATES  # B and C
    # Each step has its decays, softplus and gate.
    exponentials = sequence * (STATES + 2)
    if phase == "forward":
        return Work(_FLOAT * (4 * sequence + blocks * coefficients), exponentials)
    kept = batch * -(-length // _STEPS) * channels * STATES
    # x, delta, z and y; then x, delta, z, the gradient of y and three gradients. A block of
    # channels reads B and C both times and writes its part of their gradients, to be summed.
    numbers = (4 + 7) * sequence + 3 * blocks * coefficients + 2 * kept
    if blocks > 1:
        numbers += (blocks + 1) * coefficients
    # The backward has decays and softplus twice, the gate and the sigmoid of softplus once.
    return Work(_FLOAT * numbers, exponentials + sequence * (2 * (STATES + 1) + 2))


def draw(batch: int, channels: int, length: int) -> Arguments:
    """Slices of wider tensors, as a Mamba layer makes them."""
    generator = torch.Generator("cuda").manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, device="cuda", generator=generator)

    x, z = normal(batch, length, 2 * channels).chunk(2, 2)
    _, B, C = normal(batch, length, 1 + 2 * STATES).split([1, STATES, STATES], 2)
    A = -torch.arange(1.0, STATES + 1, device="cuda").repeat(channels, 1)
    delta, D, bias = normal(batch, length, channels), normal(channels), normal(channels) - 4
    return Arguments(x, delta, A, B, C, D, z, bias, True)


def compiled_scan() -> Scan:
    """A parallel scan in torch, compiled: what one writes without a kernel."""

    def combine(left: tuple[Tensor, Tensor], right: tuple[Tensor, Tensor]):
        return left[0] * right[0], right[0] * left[1] + right[1]

    def scan(arguments: Arguments) -> tuple[Tensor, Tensor]:
        delta = arguments.steps().unsqueeze(-1)
        decay = torch.exp(delta * arguments.A)
        inflow = delta * arguments.x.unsqueeze(-1) * arguments.B.unsqueeze(2)
        _, h = associative_scan(combine, (decay, inflow), dim=1, combine_mode="generic")
        y = (h * arguments.C.unsqueeze(2)).sum(-1)
        return arguments.finish(y), h[:, -1]

    return torch.compile(scan, fullgraph=True)


#: What the scan is compared with, by ``--rival``.
RIVALS: dict[str, Callable[[], Scan]] = {
    "mamba-ssm": lambda: MambaSSM().scan,
    "compiled": compiled_scan,
    "chunked": lambda: BACKENDS["chunked"].scan,
}


def usual_rival() -> str:
    """mamba-ssm's kernel where it is installed."""
    return "compiled" if MambaSSM().unavailable() else "mamba-ssm"


def run(scan: Scan, arguments: Arguments, phase: str) -> None:
    if phase == "forward":
        with torch.no_grad():
            scan(arguments)
        return
    leaves = [None if t is None else t.detach().requires_grad_() for t in arguments.tensors]
    scan(Arguments(*leaves, *arguments[8:]))[0].sum().backward()


def milliseconds(action: Callable[[], object]) -> float:
    start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    action()
    stop.record()
    stop.synchronize()
    return start.elapsed_time(stop)


def medians(actions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Medians of interleaved rounds, after two that compile and warm up."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(rounds + 2):
        for name, action in actions.items():
            elapsed = milliseconds(action)
            if number >= 2:
                times[name].append(elapsed)
    return {name: statistics.median(each) for name, each in times.items()}


def copy_rate(rounds: int) -> float:
    """Bytes a second that a copy of 256 MB reads and writes."""
    source = torch.empty(64 * 1024**2, device="cuda")
    target = torch.empty_like(source)
    taken = medians({"copy": lambda: target.copy_(source)}, rounds)["copy"]
    return 2 * source.numel() * _FLOAT / taken * 1e3


def exponential_rate() -> float:
    """Exponentials a second at the highest clock that the driver names."""
    properties = torch.cuda.get_device_properties(0)
    query = ["nvidia-smi", "--query-gpu=clocks.max.sm", "--format=csv,noheader,nounits"]
    said = subprocess.run([*query, "--id=0"], capture_output=True, text=True, check=True).stdout
    return float(said) * 1e6 * _SPECIAL_LANES * properties.multi_processor_count


def fits(action: Callable[[], object]) -> bool:
    """Whether it runs in the memory of the device."""
    try:
        action()
    except torch.cuda.OutOfMemoryError:
        torch.cuda.empty_cache()
        return False
    return True


def measure(rounds: int, rival: str) -> list[dict[str, object]]:
    bytes_rate, special_rate = copy_rate(rounds), exponential_rate()
    scans = {"triton": TritonScan().scan, rival: RIVALS[rival]()}
    results = []
    for shape, phase in itertools.product(SHAPES.values(), PHASES):
        arguments = draw(*shape)
        actions = {name: partial(run, scan, arguments, phase) for name, scan in scans.items()}
        times = medians({n: a for n, a in actions.items() if fits(a)}, rounds)
        ours, needed = times["triton"], work(*shape, phase)
        results.append(
            {
                "shape": list(shape),
                "phase": phase,
                "milliseconds": ours,
                "rival": rival,
                "ratio": times[rival] / ours if rival in times else None,
                "bytes": needed.bytes,
                "share_of_copy_rate": needed.bytes / bytes_rate * 1e3 / ours,
                "share_of_exponential_rate": needed.exponentials / special_rate * 1e3 / ours,
            }
        )
    return results


def show(results: list[dict[str, object]]) -> None:
    table = Table(title=f"Triton scan on {torch.cuda.get_device_name()}, {STATES} states")
    names = ("batch, channels, length", "phase", "ms", "rival", "rival / ours", "MB")
    for name in (*names, "of copy rate", "of exponential rate"):
        table.add_column(name, justify="left" if name in ("phase", "rival") else "right")
    for row in results:
        table.add_row(
            ", ".join(map(str, row["shape"])),
            row["phase"],
            f"{row['milliseconds']:.3f}",
            row["rival"],
            "out of memory" if row["ratio"] is None else f"{row['ratio']:.2f}",
            f"{row['bytes'] / 1e6:.1f}",
            f"{row['share_of_copy_rate']:.0%}",
            f"{row['share_of_exponential_rate']:.0%}",
        )
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--rival", choices=RIVALS, help="by default mamba-ssm, or compiled")
    parser.add_argument("--json", action="store_true", help="numbers alone")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("There is no CUDA device here, so there is nothing to measure.")
        return
    results = measure(options.rounds, options.rival or usual_rival())
    if options.json:
        print(json.dumps({"schema": 1, "device": torch.cuda.get_device_name(), "results": results}))
    else:
        show(results)


if __name__ == "__main__":
    main()
