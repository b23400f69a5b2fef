"""The library's sources and flags, as the build has them, for other compilers and processors."""

import subprocess
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
SOURCES = CHECKOUT / "tinyseg" / "native"


def extension() -> dict[str, list[str]]:
    """The table in pyproject.toml that says how the library is built."""
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    return settings["tool"]["setuptools"]["ext-modules"][0]


def compile_c(compiler: str, arguments: list[str], out: Path) -> Path:
    """Compiles with the build's flags; warnings are errors."""
    flags = [*extension()["extra-compile-args"], "-Wall", "-Wextra", "-Werror", f"-I{SOURCES}"]
    libraries = [] if "-c" in arguments else ["-lm", "-ldl"]
    command = [compiler, *flags, *arguments, "-o", str(out), *libraries]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT)
    assert done.returncode == 0, done.stderr
    return out
