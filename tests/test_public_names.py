"""The public surface, pinned."""

import subprocess
import sys

import tinyseg


def test_names():
    assert tinyseg.__all__ == [
        "TinysegError",
        "__version__",
        "build",
        "compare",
        "count",
        "evaluate",
        "export",
        "open_dataset",
        "profile",
        "selective_scan",
        "train",
    ]
    for name in tinyseg.__all__:
        assert getattr(tinyseg, name) is not None


def test_the_package_comes_without_torch():
    program = "import sys, tinyseg, tinyseg.comparison, tinyseg.runs; print('torch' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "False"
