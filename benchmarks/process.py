"""The process that measures: memory allocator, threads, denormal numbers, and how it ends."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch

from tinyseg.errors import TinysegError, UsageError
from tinyseg.runs.machine import this_machine, versions

#: What glibc's allocator is told. ``retained`` keeps freed memory in the heap, so that large
#: temporaries are not faulted in page by page at every call; which of the scans gain by that
#: differs, so a ratio means nothing without it.
ALLOCATORS: dict[str, dict[str, str]] = {
    "default": {},
    "retained": {
        "MALLOC_MMAP_THRESHOLD_": "4294967296",
        "MALLOC_TRIM_THRESHOLD_": "4294967296",
        "MALLOC_TOP_PAD_": "268435456",
    },
}
#: Gives freed memory back at once, so that the resident memory is the memory in use.
RETURNING = {"MALLOC_MMAP_THRESHOLD_": "4096"}

_PACKAGES = ("tinyseg", "torch", "numpy", "mambapy", "triton", "mamba-ssm", "causal-conv1d")
_INTERPRETER = "TRITON_INTERPRET"  # with it Triton's kernels would be timed interpreted
_HEAP = 2 * 1024**3


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of every benchmark."""
    parser.add_argument("--allocator", choices=tuple(ALLOCATORS), default="default")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch and the kernels")
    parser.add_argument("--seconds", type=float, help="to spend on timing, shared out")
    parser.add_argument("--json", action="store_true", help="one JSON document")


def settle(allocator: str, threads: int, seconds: float | None = None) -> None:
    """Makes this process the one that the options ask for.

    glibc reads its settings when a program starts, so the program may start anew here. Denormal
    numbers are flushed to zero as in training, before any thread starts, so that all inherit it.

    Raises:
        UsageError: fewer than one thread, no time, or a retained heap without glibc.
    """
    if threads < 1:
        raise UsageError(f"--threads should be at least 1, not {threads}.")
    if seconds is not None and seconds <= 0:
        raise UsageError(f"--seconds should be above 0, not {seconds:g}.")
    if allocator != "default" and not sys.platform.startswith("linux"):
        raise UsageError("--allocator retained needs glibc.", "Leave it out on this system.")
    wanted = allocator_environment(os.environ, ALLOCATORS[allocator])
    if wanted != dict(os.environ):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], wanted)
    torch.set_flush_denormal(True)
    torch.set_num_threads(threads)
    if allocator == "retained":
        torch.ones(_HEAP // 4)  # grows the heap, which is kept


def allocator_environment(present: Mapping[str, str], setting: Mapping[str, str]) -> dict[str, str]:
    """The variables of a process whose allocator has a setting and no other."""
    rest = {
        name: value
        for name, value in present.items()
        if not name.startswith("MALLOC_") and name not in ("GLIBC_TUNABLES", _INTERPRETER)
    }
    return {**rest, **setting}


def circumstances(allocator: str, threads: int) -> dict[str, object]:
    """What a figure depends on, for the JSON document."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "machine": this_machine(gpu).model_dump(mode="json"),
        "versions": versions(_PACKAGES),
        "allocator": {"name": allocator, "environment": ALLOCATORS[allocator]},
        "threads": threads,
        "flush_denormal": True,
    }


def conditions(document: Mapping[str, Any]) -> str:
    """One sentence on them, for a table."""
    machine = document["machine"]
    where = machine["accelerator"] if document.get("device") == "cuda" else machine["processor"]
    torch_version, threads = document["versions"]["torch"], document["threads"]
    return (
        f"{where}; PyTorch {torch_version}; {threads} thread{'s' if threads > 1 else ''}; "
        f"allocator: {document['allocator']['name']}; denormals flushed."
    )


def say(message: str) -> None:
    """Progress, on standard error; between measurements, so that it costs none of them."""
    print(message, file=sys.stderr, flush=True)


def end(main: Callable[[], None]) -> None:
    """Runs a benchmark; a mistake ends it with one sentence and the mend."""
    try:
        main()
    except TinysegError as error:
        say(str(error))
        sys.exit(error.exit_code)
