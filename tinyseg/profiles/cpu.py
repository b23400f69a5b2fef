"""This machine's processor."""

import os
from pathlib import Path
from typing import Any, ClassVar

from tinyseg.children import run_child
from tinyseg.profiles.base import Request, Target
from tinyseg.profiles.statistics import latency, noise
from tinyseg.runs.machine import this_machine
from tinyseg.runs.records import Memory, Noise, ProfileRecord

RUNNER = Path(__file__).with_name("runner.py")

_SECONDS_TO_START = 120
_NO_SPINNING = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}  # waiting threads sleep


class CpuDevice:
    """Measures in a fresh child process, while this one sleeps."""

    name: ClassVar[str] = "cpu"

    def available(self) -> str | None:
        """It always is."""
        return None

    def measure(self, target: Target, request: Request) -> ProfileRecord:
        """Latency and peak memory of one file."""
        load = os.getloadavg()[0]
        answer = run_child(
            f"Profiling {target.label} in {target.runtime}",
            RUNNER,
            _question(target, request),
            timeout_s=_SECONDS_TO_START + 3 * request.max_seconds,
            environment={"OMP_NUM_THREADS": str(request.threads), **_NO_SPINNING},
        )
        machine = this_machine()
        verdict = noise(
            answer["samples_ms"],
            threads=request.threads,
            processor_share=answer["processor_share"],
            load_average=load,
            cores=machine.cores,
        )
        return _record(self.name, target, request, answer, verdict)


def _question(target: Target, request: Request) -> dict[str, Any]:
    return {
        "runtime": target.runtime,
        "format": target.format,
        "file": str(target.file.resolve()),
        "input": list(target.input),
        "threads": request.threads,
        "min_iterations": request.min_iterations,
        "min_seconds": request.min_seconds,
        "max_seconds": request.max_seconds,
        **target.network,
    }


def _record(
    device: str, target: Target, request: Request, answer: dict[str, Any], verdict: Noise
) -> ProfileRecord:
    times = latency(answer["samples_ms"])
    baseline, peak = answer["baseline_bytes"], answer["peak_bytes"]
    return ProfileRecord(
        device=device,
        runtime=target.runtime,
        artifact=target.label,
        precision=target.precision,
        threads=request.threads,
        batch=target.input[0],
        input=list(target.input),
        latency_ms=times,
        cold_start_ms=answer["cold_start_ms"],
        throughput=target.input[0] * 1e3 / times.p50,
        memory=Memory(
            artifact_bytes=target.bytes or target.file.stat().st_size,
            arena_bytes=None,
            baseline_bytes=baseline,
            peak_bytes=peak,
            rise_bytes=peak - baseline,
        ),
        energy_j=None,
        trusted=not verdict.reasons,
        noise=verdict,
        machine=this_machine(),
        samples_ms=answer["samples_ms"],
        versions=answer["versions"],
    )
