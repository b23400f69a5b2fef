"""`tinyseg profile`."""

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyseg.cli import console
from tinyseg.cli.fresh import (
    Classes,
    From,
    InChannels,
    Seed,
    Size,
    SubjectName,
    TaskOf,
    resolve_subject,
)
from tinyseg.cli.options import Json, Quiet, Runs, Set, Verbose
from tinyseg.errors import UsageError
from tinyseg.runs.records import ProfileDocument, ProfileRecord


def profile(
    subject: SubjectName = None,
    own: From = None,
    device: Annotated[str, typer.Option("--device", help="Where to measure.")] = "cpu",
    threads: Annotated[
        str, typer.Option("--threads", help="Thread counts, separated by commas.")
    ] = "1",
    batch: Annotated[
        int,
        typer.Option(
            "--batch", min=1, help="Pictures an inference; more than one in PyTorch alone."
        ),
    ] = 1,
    max_seconds: Annotated[
        float, typer.Option("--max-seconds", min=0.1, help="Longest time of one measurement.")
    ] = 10.0,
    size: Size = None,
    classes: Classes = None,
    in_channels: InChannels = None,
    task: TaskOf = None,
    settings: Set = [],  # noqa: B006  (typer copies it)
    seed: Seed = None,
    runs: Runs = Path("runs"),
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measures latency and peak memory of a run, an exported file or a network.

    A run's weights are measured in PyTorch, and every exported file that
    passed parity in its own runtime, each in a fresh process, one by one.

    Example: tinyseg profile runs/ul-vm-unet-phantom-1 --threads 1,2
    """
    from tinyseg.profiles import profile as measure

    resolved = resolve_subject(
        subject,
        own=own,
        task=task,
        runs=runs,
        size=size,
        classes=classes,
        in_channels=in_channels,
        settings=settings,
        seed=seed,
    )
    with console.progress() as progress:
        document = measure(
            resolved,
            device=device,
            threads=_counts(threads),
            batch=batch,
            max_seconds=max_seconds,
            progress=progress,
        )
    console.emit(document, _view(document, resolved.name))
    if resolved.run:
        console.say(f"Written to {resolved.run.path / 'profiles'}.")
        console.say("Next: tinyseg compare")
    elif not resolved.artifact:
        console.say(f"Next: tinyseg export {subject or f'--from {own}'}")


def _counts(text: str) -> list[int]:
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1:
        raise UsageError(f"--threads {text} should be counts separated by commas, such as 1,2.")
    return counts


def _view(document: ProfileDocument, name: str) -> RenderableType:
    profiles = document.profiles
    shape = "x".join(str(side) for side in profiles[0].input)
    table = Table(title=f"{name} at {shape}, milliseconds", title_justify="left", box=box.SIMPLE)
    table.padding = 0
    table.add_column("runtime", overflow="fold")
    for column in ("threads", "p50", "its 95 %", "p90", "p99", "cold", "KB", "MB\nrise"):
        table.add_column(column, justify="right", overflow="fold")
    table.add_column("trusted")
    for record in profiles:
        table.add_row(*_row(record))
    doubts = [
        Text(f"{record.runtime}, t{record.threads}: {'; '.join(record.noise.reasons)}.", "yellow")
        for record in profiles
        if not record.trusted
    ]
    machine = profiles[0].machine
    where = Text(f"{profiles[0].device}: {machine.processor}, {machine.cores} cores", "dim")
    return Group(table, where, *doubts)


def _row(record: ProfileRecord) -> list[str]:
    times, memory = record.latency_ms, record.memory
    low, high = times.p50_ci95
    return [
        f"{record.runtime} {record.precision}",
        str(record.threads),
        _ms(times.p50),
        f"{_ms(low)}-{_ms(high)}",
        _ms(times.p90),
        _ms(times.p99),
        _ms(record.cold_start_ms),
        f"{memory.artifact_bytes / 1000:,.0f}",
        f"{memory.rise_bytes / 1e6:.1f}",
        "yes" if record.trusted else "[yellow]no[/]",
    ]


def _ms(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
