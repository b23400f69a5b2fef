"""Benchmarks as users run them: processes of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]


def run(
    benchmark: str, *arguments: object, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"benchmarks.{benchmark}", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env={**os.environ, **(environment or {})},
    )


def document_of(benchmark: str, *arguments: object) -> dict[str, Any]:
    """What is printed on standard output, which has to be one JSON document alone."""
    done = run(benchmark, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
