"""Child processes: converters and runtimes print, leak, spin and sometimes abort.

A child gets one JSON document on standard input and answers with one JSON document as the last
line of standard output; whatever else it prints is kept for the error message.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tinyseg.errors import ChildError

_LAST_WORDS = 400  # characters that an error message carries
_TAIL = 8000  # characters of output that --verbose shows
_EXCEPTION = re.compile(r"^[\w.]*(?:Error|Exception|Interrupt|Exit)\b.*", re.MULTILINE)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class ChildOutputError(Exception):
    """How a failed child's output ended: the cause of its `ChildError`, shown by ``--verbose``."""


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
        [sys.executable, "-P", *target],  # -P: nothing beside the program shadows a library
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
    except subprocess.TimeoutExpired as expired:
        raise ChildError(
            f"{what} was stopped after {timeout_s:.0f} s.", "Try a smaller --size."
        ) from ChildOutputError(_tail(expired.output, expired.stderr))
    finally:
        _kill_group(child)
    if child.returncode != 0:
        problem = f"{what} {_ending(child.returncode)}: {_last_words(errors or output)}"
        raise ChildError(problem) from ChildOutputError(_tail(output, errors))
    return _answer(what, output, errors)


def serve(answer: Mapping[str, Any]) -> None:
    """Prints a child's answer where `run_child` looks for it."""
    sys.stdout.flush()
    print(json.dumps(answer), flush=True)


def _answer(what: str, output: str, errors: str) -> dict[str, Any]:
    try:
        answer = json.loads(output.strip().splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        answer = None
    if not isinstance(answer, dict):
        problem = f"{what} ended without an answer: {_last_words(errors or output)}"
        raise ChildError(problem) from ChildOutputError(_tail(output, errors))
    return answer


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
    """The last exception that a text names, else its last line."""
    text = _COLOURS.sub("", text)
    lines = _EXCEPTION.findall(text) or text.strip().splitlines() or ["it said nothing."]
    last = " ".join(lines[-1].split())
    return last if len(last) <= _LAST_WORDS else last[:_LAST_WORDS] + " …"


def _tail(*streams: str | bytes | None) -> str:
    texts = (text.decode(errors="replace") if isinstance(text, bytes) else text for text in streams)
    return "\n" + "\n".join(text for text in texts if text)[-_TAIL:]
