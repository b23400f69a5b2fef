"""What reaches the terminal: results on standard output, everything else on standard error."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from tinyseg.progress import Progress, silent
from tinyseg.runs.records import Document

_SECONDS_BETWEEN_LINES = 10.0


@dataclass
class Settings:
    """What --json, --quiet and --verbose say."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False


settings = Settings()
output = Console()
notes = Console(stderr=True)


def emit(document: Document, view: RenderableType) -> None:
    """Prints a result: the document under --json, else its view."""
    if settings.json:
        print(document.to_json(), end="", flush=True)
    else:
        output.print(view)


def say(message: RenderableType) -> None:
    """Prints a note, unless --quiet."""
    if not settings.quiet:
        notes.print(message, soft_wrap=True)  # so that a path or command can be copied


@contextmanager
def progress() -> Iterator[Progress]:
    """Shows progress while the block runs: bars in a terminal, else now and then a line."""
    if settings.quiet:
        yield silent
    elif notes.is_terminal:
        with Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=notes,
        ) as bars:
            yield _in_bars(bars)
    else:
        yield _in_lines()


def _in_bars(bars: Bars) -> Progress:
    tasks: dict[str, TaskID] = {}

    def show(what: str, done: int, total: int | None, figures: str) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total, figures=figures)
        elif done < bars.tasks[tasks[what]].completed:  # the same work, on something else
            bars.reset(tasks[what])
        bars.update(tasks[what], completed=done, total=total, figures=figures)

    return show


def _in_lines() -> Progress:
    begun: dict[str, float] = {}
    last_shown: dict[str, float] = {}
    last_done: dict[str, int] = {}

    def show(what: str, done: int, total: int | None, figures: str) -> None:
        now = time.monotonic()
        if done < last_done.get(what, 0):  # the same work, on something else
            begun[what] = now
        begun.setdefault(what, now)
        last_done[what] = done
        ended = total is not None and done >= total
        if not ended and now - last_shown.get(what, float("-inf")) < _SECONDS_BETWEEN_LINES:
            return
        last_shown[what] = now
        count = f" {done}/{total}" if total else ""
        left = _left(now - begun[what], done, total)
        notes.print(f"{what}{count}{left} {figures}".rstrip(), highlight=False)

    return show


def _left(elapsed: float, done: int, total: int | None) -> str:
    if not total or not done or done >= total:
        return ""
    minutes, seconds = divmod(round(elapsed / done * (total - done)), 60)
    return f", {minutes}:{seconds:02d} left"
