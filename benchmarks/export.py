"""The same network in PyTorch and in every exported format: file, nodes, latency, difference.

The network has fresh weights and its branches folded into the batch, as tinyseg does. The rival is
PyTorch without anything compiled, its scans by mambapy; beside it tinyseg's own backends. Formats
are the registered exporters whose packages are installed, each in its usual form and without
control flow or compiled ahead of time where it can be had so. Every contestant is a process of its
own, because runtimes disturb each other's threads and memory; all wait but the one whose turn it
is. Rounds begin with another contestant each. A turn is one call that is not timed and three that
are, in processor time of the whole process: who used a second thread would gain nothing by it.
A ratio is the median of those of single rounds, with a 95 % interval. Differences are of
probabilities, from the rival's.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from benchmarks.contestants import backends
from benchmarks.export_tables import tables
from benchmarks.process import add_options, circumstances, end, say, settle
from tinyseg import plugins
from tinyseg.errors import TinysegError, UsageError
from tinyseg.exporters import Conversion, Exporter, Subject, resolve
from tinyseg.exporters.base import load_exporter, require
from tinyseg.exporters.convert import convert
from tinyseg.exporters.manifest import contents_of
from tinyseg.exporters.parity import compare
from tinyseg.profiles.statistics import median_interval
from tinyseg.runs.machine import versions
from tinyseg.runs.records import ExportOptions

NETWORK = "ul-vm-unet"
RIVAL = "mambapy"
_SECONDS, _QUICK_SECONDS = 120.0, 5.0
_SIZE, _QUICK_SIZE = 256, 64
_FEWEST_ROUNDS = 6  # the fewest whose median has a 95 % interval
_LAYOUTS = ("NCHW", "channels_last")
_PACKAGES = ("onnx", "onnxruntime", "litert-torch", "ai-edge-litert", "openvino", "executorch")
#: What sets a format's forms apart from its usual one, where it knows the option.
_FORMS: dict[str, ExportOptions] = {
    "scan": ExportOptions(scan="portable"),
    "aot": ExportOptions(aot=True),
}


class Contestant(NamedTuple):
    """Who computes the logits.

    Attributes:
        name: in the table.
        request: what its process is told.
        file: of an exported format, its figures; else empty.
    """

    name: str
    request: Mapping[str, Any]
    file: Mapping[str, Any]


class Player:
    """The process of a contestant."""

    def __init__(self, contestant: Contestant, folder: Path, image: Path) -> None:
        self.name = contestant.name
        self._logits = folder / f"{contestant.name}.npy"
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.export_turns"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Runtimes that know no number of threads take this one's.
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        files = {"input": str(image), "logits": str(self._logits)}
        self._ask(json.dumps({**contestant.request, **files}))
        self.logits = np.load(self._logits)

    def turn(self) -> float:
        """Seconds of a call."""
        return float(self._ask("turn"))

    def end(self) -> None:
        """Lets the process end by itself."""
        self._child.communicate()

    def _ask(self, line: str) -> str:
        assert self._child.stdin
        assert self._child.stdout
        print(line, file=self._child.stdin, flush=True)
        answer = self._child.stdout.readline()
        if not answer:
            _, errors = self._child.communicate()
            last = (errors.strip().splitlines() or ["it said nothing"])[-1]
            raise TinysegError(f"{self.name} ended: {last}")
        return answer


def main() -> None:
    options = _options()
    settle(options.allocator, options.threads, options.seconds)
    if options.threads != 1:
        raise UsageError("--threads should be 1: what is compared is work, not cores.")
    size = options.size or (_QUICK_SIZE if options.quick else _SIZE)
    subject = resolve(NETWORK, size=size)
    with tempfile.TemporaryDirectory(prefix="tinyseg-") as name:
        folder = Path(name)
        found = [*networks(size), *artifacts(subject, options.format, folder)]
        seconds = options.seconds or (_QUICK_SECONDS if options.quick else _SECONDS)
        results = measure(found, subject, folder, seconds)
    document = {
        "schema": 1,
        **circumstances(options.allocator, options.threads),
        "runtimes": versions(_PACKAGES),
        "network": NETWORK,
        "size": size,
        "rival": results[0]["name"],
        "results": results,
    }
    if options.json:
        print(json.dumps(document))
    else:
        for table in tables(document):
            Console().print(table)


def networks(size: int) -> list[Contestant]:
    """PyTorch: the rival first, then every backend; each in both layouts."""
    return [
        Contestant(
            f"PyTorch, {scan}, {layout}",
            {"artifact": None, "network": NETWORK, "size": size, "scan": scan, "layout": layout},
            {},
        )
        for scan in (RIVAL, *backends("cpu"))
        if scan != "reference"  # a loop over time, which `benchmarks.scan` times
        for layout in _LAYOUTS
    ]


def artifacts(subject: Subject, formats: Sequence[str], folder: Path) -> list[Contestant]:
    """Exported files; formats that were not asked for are left out where packages lack."""
    found: list[Contestant] = []
    for name in formats or plugins.names("exporters"):
        exporter = load_exporter(name)
        packages = (*exporter.converts_with, *exporter.runs_with)
        try:
            require(exporter, packages, f"Export to {name}")
        except TinysegError as missing:
            if formats:
                raise
            say(f"Left out: {missing}")
            continue
        forms = [ExportOptions(), *(_FORMS[o] for o in exporter.options if o in _FORMS)]
        for form in forms:
            found.append(_artifact(subject, exporter, form, folder))
    return found


def _artifact(
    subject: Subject, exporter: Exporter, options: ExportOptions, folder: Path
) -> Contestant:
    label = " ".join(filter(None, (exporter.name, options.variant)))
    say(f"Exporting: {label}")
    path = folder / f"{subject.name}-{options.variant}{exporter.suffix}"
    start = time.perf_counter()
    details = convert(subject, exporter, Conversion(contents_of(subject, options), options), path)
    figures = {
        "format": exporter.name,
        "variant": options.variant,
        "scan": details.scan,
        "bytes": path.stat().st_size,
        "nodes": details.nodes,
        "export_seconds": time.perf_counter() - start,
    }
    return Contestant(label, {"artifact": str(path), "format": exporter.name}, figures)


def measure(
    found: Sequence[Contestant],
    subject: Subject,
    folder: Path,
    seconds: float,
    *,
    may_differ: bool = False,
) -> list[dict[str, Any]]:
    """Times, ratios and differences.

    Raises:
        TinysegError: a contestant computes something else, so that there is nothing to time; not
            where they may differ.
    """
    image = picture(subject, folder)
    with ExitStack() as stack:
        players: list[Player] = []
        for each in found:
            say(f"Loading: {each.name}")
            players.append(Player(each, folder, image))
            stack.callback(players[-1].end)
        parities = [
            compare(players[0].logits, player.logits, threshold=subject.threshold)
            for player in players
        ]
        for each, parity in zip(found, parities, strict=True):
            if not (parity.passed or may_differ):
                raise TinysegError(
                    f"{each.name} differs from the rival by {parity.max_abs:.1e} in probabilities "
                    f"and {parity.logits:.1e} of the logits' range, so there is nothing to time."
                )
        say("Turns")
        times = rounds(players, seconds)
    rival = times[0]
    results: list[dict[str, Any]] = []
    for each, parity, own in zip(found, parities, times, strict=True):
        ratios = [a / b for a, b in zip(rival, own, strict=True)]
        results.append(
            {
                "name": each.name,
                **each.file,
                "seconds": median(own),
                "ratio": median(ratios),
                "ratio_ci95": median_interval(ratios),
                "rounds": len(own),
                "max_abs": parity.max_abs,
                "logits": parity.logits,
            }
        )
    return results


def picture(subject: Subject, folder: Path) -> Path:
    """A file of what all are given: one picture of noise."""
    path = folder / "image.npy"
    np.save(path, np.random.default_rng(0).uniform(-1, 1, subject.input_shape).astype(np.float32))
    return path


def rounds(players: Sequence[Player], seconds: float) -> list[list[float]]:
    """Times of each player, round by round."""
    times: list[list[float]] = [[] for _ in players]
    stop, number = time.perf_counter() + seconds, 0
    while number < _FEWEST_ROUNDS or time.perf_counter() < stop:
        for turn in range(len(players)):
            index = (number + turn) % len(players)
            times[index].append(players[index].turn())
        number += 1
    return times


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export", description=__doc__)
    add_options(parser)
    parser.add_argument("--quick", action="store_true", help="small pictures, a few rounds")
    parser.add_argument("--size", type=int, help=f"side of the picture; by default {_SIZE}")
    parser.add_argument(
        "--format", action="append", default=[], help="only this; may be given again"
    )
    return parser.parse_args()


if __name__ == "__main__":
    end(main)
