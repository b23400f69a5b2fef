"""The selective scan: every backend of this installation against mambapy and a plain loop.

Scans take turns, round by round, in one process. A turn begins with a call that is not timed, then
takes the CPU time of calls until 5 ms are full (on a CUDA device wall time, until the device has
finished); figures are medians over rounds. Before anything is timed, every output and gradient has
to agree with mambapy's. Peak memory is `benchmarks.memory`'s.
"""

import argparse
import itertools
import json
from typing import Any

import torch
from rich.console import Console

from benchmarks import memory, timing
from benchmarks.contestants import RIVALS, backends, require_agreement, rivals
from benchmarks.figures import exponent, ratio
from benchmarks.problems import BOTH, PHASES, SERIES, SHAPES, Scan, Shape, draw
from benchmarks.process import add_options, circumstances, end, say, settle
from benchmarks.scan_tables import tables
from benchmarks.timing import Times
from tinyseg.errors import UsageError

_QUICK_SECONDS, _SECONDS = 25.0, 240.0
_THREADS = (1, 2)
_NOT_THREADED = ("mambapy", "loop", "reference")  # compared at one thread alone


def main() -> None:
    options = _options()
    if options.device == "cuda" and not torch.cuda.is_available():
        raise UsageError("PyTorch finds no CUDA device here.", "Leave --device out.")
    settle(options.allocator, options.threads, options.seconds)
    scans = {**rivals(), **backends(options.device)}
    document = {"schema": 1, **(quick if options.quick else full)(scans, options)}
    if options.json:
        print(json.dumps(document))
    else:
        for table in tables(document):
            Console().print(table)


def quick(scans: dict[str, Scan], options: argparse.Namespace) -> dict[str, Any]:
    """Ratios at the first shape alone."""
    times = time_shapes(scans, {"S1": SHAPES["S1"]}, options.seconds or _QUICK_SECONDS, options)
    return {"results": ratios(times)}


def full(scans: dict[str, Scan], options: argparse.Namespace) -> dict[str, Any]:
    """Everything."""
    cells = len(SHAPES) * len(PHASES) + len(SERIES) + 1
    a_cell = (options.seconds or _SECONDS) / cells
    times = time_shapes(scans, SHAPES, a_cell * len(SHAPES) * len(PHASES), options)
    return {
        **circumstances(options.allocator, options.threads),
        "device": options.device,
        "shapes": {label: list(shape) for label, shape in SHAPES.items()},
        "results": ratios(times),
        "times": [
            {"scan": name, "shape": list(shape), "phase": phase, **taken.to_json()}
            for (shape, phase), all_times in times.items()
            for name, taken in all_times.items()
        ],
        "lengths": time_lengths(scans, a_cell * len(SERIES), options),
        "threaded": time_threads(scans, a_cell, options) if options.device == "cpu" else [],
        "memory": memory.peaks(options.device),
    }


Cells = dict[tuple[Shape, str], dict[str, Times]]


def time_shapes(
    scans: dict[str, Scan], shapes: dict[str, Shape], seconds: float, options: argparse.Namespace
) -> Cells:
    """Times of all scans by shape and phase; the seconds are shared out evenly."""
    clock = timing.on_device(options.device)
    found: Cells = {}
    for label, shape in shapes.items():
        problem = draw(shape, options.device)
        require_agreement(scans, problem)
        for phase in PHASES:
            say(f"{label} {tuple(shape)}, {phase}")
            actions = {name: problem.action(scan, phase) for name, scan in scans.items()}
            share = seconds / len(shapes) / len(PHASES)
            found[shape, phase] = timing.in_turn(actions, share, clock)
    return found


def ratios(cells: Cells) -> list[dict[str, Any]]:
    """How many times faster than each rival each backend is."""
    return [
        {
            "backend": name,
            "rival": rival,
            "shape": list(shape),
            "phase": phase,
            "ratio": ratio(times[rival].seconds, times[name].seconds),
        }
        for (shape, phase), times in cells.items()
        for name, rival in itertools.product(times, RIVALS)
        if name not in RIVALS
    ]


def time_lengths(
    scans: dict[str, Scan], seconds: float, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """How time grows with length: the fitted exponent, and that of the last two lengths."""
    series = {f"Length {shape.length}": shape for shape in SERIES}
    clock = timing.on_device(options.device)
    medians: dict[str, dict[int, float]] = {name: {} for name in scans}
    for label, shape in series.items():
        problem = draw(shape, options.device)
        require_agreement(scans, problem)
        say(f"{label}, {BOTH}")
        actions = {name: problem.action(scan, BOTH) for name, scan in scans.items()}
        for name, times in timing.in_turn(actions, seconds / len(series), clock).items():
            medians[name][shape.length] = times.median
    last = [shape.length for shape in SERIES[-2:]]
    return [
        {
            "scan": name,
            "batch": SERIES[0].batch,
            "channels": SERIES[0].channels,
            "seconds": times,
            "exponent": exponent(times),
            "exponent_of_last_two": exponent({length: times[length] for length in last}),
        }
        for name, times in medians.items()
    ]


def time_threads(
    scans: dict[str, Scan], seconds: float, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Wall time with two threads against one, at the first shape."""
    shape = SHAPES["S1"]
    problem = draw(shape)
    say(f"S1 {tuple(shape)}, one and two threads")

    def action(scan: Scan, threads: int) -> timing.Action:
        def call() -> None:
            torch.set_num_threads(threads)
            problem.both(scan)

        return call

    threaded = [name for name in scans if name not in _NOT_THREADED]
    actions = {
        f"{name} {threads}": action(scans[name], threads)
        for name, threads in itertools.product(threaded, _THREADS)
    }
    times = timing.in_turn(actions, seconds, timing.wall_time)
    torch.set_num_threads(options.threads)
    return [
        {
            "scan": name,
            "shape": list(shape),
            "phase": BOTH,
            "seconds": {threads: times[f"{name} {threads}"].median for threads in _THREADS},
            "ratio": ratio(times[f"{name} 1"].seconds, times[f"{name} 2"].seconds),
        }
        for name in threaded
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scan", description=__doc__)
    add_options(parser)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--quick", action="store_true", help="the first shape, ratios alone")
    return parser.parse_args()


if __name__ == "__main__":
    end(main)
