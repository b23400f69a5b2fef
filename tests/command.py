"""The command as users run it: a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

Result = subprocess.CompletedProcess[str]


def tinyseg(
    *arguments: object, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> Result:
    """Runs ``tinyseg``; standard output and error are kept apart."""
    return subprocess.run(
        [sys.executable, "-m", "tinyseg", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
    )
