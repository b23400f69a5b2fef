"""Child processes: converters and runtimes print, leak, spin and sometimes abort.

A child gets one JSON document on standard input and answers with one JSON document as the last
line of standard output; whatever else it prints is kept for the error message.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tinyseg.errors import ChildError

_TAIL = 400  # characters of a child's last words that an error message carries


def run_child(
    what: str,
    program: str | Path,
    request: Mapping[str, Any],
    *,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Runs a Python program in a process group of its own and returns its answer.

    The parent sleeps in a system call meanwhile, so that a timing in the child has the processor
    to itself.

    Args:
        what: what the child does, for error messages: "The conversion to TFLite".
        program: a file, or the name of a module to run as ``python -m``.
        request: sent as JSON on standard input.
        timeout_s: the whole group is killed after this many seconds.
        environment: variables added to this process's own.

    Raises:
        ChildError: it crashed, took too long or answered no JSON; the message says which, and how
            its output ended.
    """
    target = [str(program)] if isinstance(program, Path) else ["-m", program]
    child = subprocess.Popen(
        [sys.executable, *target],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
        env={**os.environ, **(environment or {})},
    )
    try:
        output, errors = child.communicate(json.dumps(request), timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise ChildError(
            f"{what} was stopped after {timeout_s:.0f} s.", "Try a smaller --size."
        ) from None
    finally:
        _kill_group(child)
    if child.returncode != 0:
        raise ChildError(f"{what} {_ending(child.returncode)}: {_last_words(errors or output)}")
    return _answer(what, output, errors)


def serve(answer: Mapping[str, Any]) -> None:
    """Prints a child's answer where `run_child` looks for it."""
    sys.stdout.flush()
    print(json.dumps(answer), flush=True)


def _answer(what: str, output: str, errors: str) -> dict[str, Any]:
    lines: Sequence[str] = output.strip().splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, json.JSONDecodeError):
        raise ChildError(
            f"{what} ended without an answer: {_last_words(errors or output)}"
        ) from None


def _kill_group(child: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream:
            stream.close()


def _ending(code: int) -> str:
    if code < 0:
        return f"was ended by signal {signal.Signals(-code).name}"
    return f"failed with exit code {code}"


def _last_words(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _TAIL else "… " + text[-_TAIL:]
