"""The training step of ul-vm-unet: every backend of the scan against mambapy.

A step is the trainer's: zeroing gradients, forward, loss, backward, optimiser, without augmentation
and with binary cross-entropy on logits as its loss. The rival is the same network with the parallel
vision Mamba layer as published, calling mambapy's block once a branch, in PyTorch's own memory
layout (NCHW) and with PyTorch's own AdamW; beside it the same with channels innermost
(channels_last) and the trainer's optimiser. All start with the same weights and have to agree in
loss and gradients. Steps take turns, round by round, in one process; figures are medians of CPU
time (on a CUDA device of wall time). A backend other than native is timed as where nothing is
compiled.
"""

import argparse
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from benchmarks import timing
from benchmarks.contestants import backends
from benchmarks.figures import ratio
from benchmarks.process import add_options, circumstances, end, say, settle
from benchmarks.profiling import where_time_goes
from benchmarks.published_network import as_published
from benchmarks.scan_choice import mambapy_scan_recorded, scan_backend
from benchmarks.training_tables import tables
from tinyseg.errors import TinysegError, UsageError
from tinyseg.networks import build
from tinyseg.runs.records import Protocol
from tinyseg.training.optimisation import make_optimiser

NETWORK = "ul-vm-unet"
RIVAL = "mambapy"
NCHW, CHANNELS_LAST = "NCHW", "channels_last"
_FORMATS = {NCHW: torch.contiguous_format, CHANNELS_LAST: torch.channels_last}
_SECONDS = 180.0
_TOLERANCE = 1e-3  # of the largest gradient of all, after a whole network in float32
_PROFILED = 3


class Contestant(NamedTuple):
    """One way to take the step."""

    scan: str
    layout: str
    network: nn.Module
    optimiser: Optimizer
    images: Tensor
    masks: Tensor
    context: Callable[[], AbstractContextManager[None]]

    def step(self) -> Tensor:
        """One step; gives the loss."""
        with self.context():
            self.optimiser.zero_grad()
            loss = F.binary_cross_entropy_with_logits(self.network(self.images), self.masks)
            loss.backward()
            self.optimiser.step()
        return loss


def main() -> None:
    options = _options()
    if options.device == "cuda" and not torch.cuda.is_available():
        raise UsageError("PyTorch finds no CUDA device here.", "Leave --device out.")
    settle(options.allocator, options.threads, options.seconds)
    if options.batch < 1:
        raise UsageError(f"--batch should be at least 1, not {options.batch}.")
    found = contestants(options)
    require_agreement(found)
    document = {
        "schema": 1,
        **circumstances(options.allocator, options.threads),
        "device": options.device,
        "network": NETWORK,
        "batch": options.batch,
        "size": options.size,
        "results": time_steps(found, options),
        "parts": parts(found),
    }
    if options.json:
        print(json.dumps(document))
    else:
        for table in tables(document):
            Console().print(table)


def contestants(options: argparse.Namespace) -> list[Contestant]:
    """The rival, then every backend, each in both layouts."""
    torch.manual_seed(0)
    network = build(NETWORK)
    images = torch.randn(options.batch, 3, options.size, options.size)
    masks = (torch.rand(options.batch, 1, options.size, options.size) < 0.3).float()
    protocol = Protocol(optimizer="adamw")

    def contestant(scan: str, layout: str) -> Contestant:
        own = deepcopy(network)
        own = (as_published(own) if scan == RIVAL else own).to(options.device)
        context = mambapy_scan_recorded if scan == RIVAL else partial(scan_backend, scan)
        if (scan, layout) == (RIVAL, NCHW):
            optimiser = AdamW(own.parameters(), lr=protocol.lr, weight_decay=protocol.weight_decay)
        else:
            optimiser = make_optimiser(own.parameters(), protocol)
        given = images.to(options.device).contiguous(memory_format=_FORMATS[layout])
        return Contestant(scan, layout, own, optimiser, given, masks.to(options.device), context)

    scans = (RIVAL, *backends(options.device))
    return [contestant(scan, layout) for scan in scans for layout in _FORMATS]


def require_agreement(found: list[Contestant]) -> None:
    """A benchmark of wrong results is void; also the first step of all.

    Raises:
        TinysegError: a loss or gradient that is not the rival's.
    """
    expected = None
    for each in found:
        say(f"First step: {each.scan}, {each.layout}")
        loss = each.step().detach().reshape(1)
        gradients = [p.grad.flatten() for p in each.network.parameters() if p.grad is not None]
        got = torch.cat([loss, *gradients])
        expected = got if expected is None else expected
        error = float((got - expected).abs().max() / expected[1:].abs().max())
        if not error <= _TOLERANCE:  # also where it is no number
            raise TinysegError(
                f"Loss or gradients with '{each.scan}', {each.layout}, differ from the rival's by "
                f"{error:.1e} of the largest gradient, so there is nothing to time."
            )


def time_steps(found: list[Contestant], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Medians and ratios to the rival."""
    say("Steps in turn")
    times = timing.in_turn(
        {f"{each.scan} {each.layout}": each.step for each in found},
        options.seconds or _SECONDS,
        timing.on_device(options.device),
        rehearse=False,
    )
    rival = times[f"{RIVAL} {NCHW}"]
    return [
        {
            "backend": each.scan,
            "layout": each.layout,
            "rival": f"{RIVAL}, {NCHW}",
            "ratio": ratio(rival.seconds, own.seconds),
            **own.to_json(),
        }
        for each in found
        for own in [times[f"{each.scan} {each.layout}"]]
    ]


def parts(found: list[Contestant]) -> list[dict[str, Any]]:
    """Where the time of the rival as published and of each backend in channels_last goes."""
    profiled = [e for e in found if (e.scan == RIVAL) == (e.layout == NCHW)]
    for each in profiled:
        say(f"Where the time goes: {each.scan}, {each.layout}")
    return [
        {
            "backend": each.scan,
            "layout": each.layout,
            "seconds": where_time_goes(each.step, _PROFILED),
        }
        for each in profiled
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    add_options(parser)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch", type=int, default=8, help="pictures; by default %(default)s")
    parser.add_argument("--size", type=int, default=256, help="their sides; by default %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    end(main)
