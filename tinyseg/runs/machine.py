"""What machine and which versions a result comes from."""

import os
import platform
import shlex
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from tinyseg.runs.records import Machine

PACKAGES = ("tinyseg", "torch", "lightning", "numpy", "onnx", "onnxruntime", "ai-edge-litert")


def this_machine(accelerator: str | None = None) -> Machine:
    """The machine this process runs on."""
    return Machine(
        system=platform.platform(),
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        python=platform.python_version(),
        accelerator=accelerator,
    )


def versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Versions of those packages that are installed."""
    found: dict[str, str] = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def this_command() -> str:
    """The command line of this process."""
    program = Path(sys.argv[0]).name
    return shlex.join(["tinyseg" if program == "__main__.py" else program, *sys.argv[1:]])


def now() -> str:
    """The time, in ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
