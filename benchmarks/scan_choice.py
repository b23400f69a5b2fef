"""Which backend the scans inside a network take, while a block runs."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch.nn.functional as F
from torch import Tensor
from torch.profiler import record_function

import tinyseg.scan.sequence
from benchmarks.contestants import mambapy_scan
from benchmarks.profiling import SCAN
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.backends import choose

_LIBRARY = "tinyseg.native.library"  # in the package the function of this name hides the module
_HIDDEN = "hidden by the benchmark"


@contextmanager
def scan_backend(name: str) -> Iterator[None]:
    """Scans by one backend; but for ``native``, all else is as where nothing is compiled."""

    def chosen(_: str, arguments: Arguments) -> SimpleNamespace:
        return SimpleNamespace(scan=partial(_recorded, name))

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(tinyseg.scan.sequence, "choose", chosen))
        if name != "native":
            stack.enter_context(_nothing_compiled())
        yield


@contextmanager
def mambapy_inside() -> Iterator[None]:
    """Scans by mambapy, all else as where nothing is compiled."""

    def scan(arguments: Arguments) -> tuple[Tensor, None]:
        x, _, A, B, C, D, z, *_ = arguments
        assert D is not None
        assert z is not None
        return mambapy_scan(x, arguments.steps(), A, B, C, D) * F.silu(z), None

    def chosen(_: str, arguments: Arguments) -> SimpleNamespace:
        return SimpleNamespace(scan=scan)

    with mock.patch.object(tinyseg.scan.sequence, "choose", chosen), _nothing_compiled():
        yield


@contextmanager
def mambapy_scan_recorded() -> Iterator[None]:
    """mambapy's scan under the name that a profile looks for."""
    from mambapy.mamba import MambaBlock

    scan = MambaBlock.selective_scan

    def recorded(*arguments: Any) -> Any:
        with record_function(SCAN):
            return scan(*arguments)

    with mock.patch.object(MambaBlock, "selective_scan", recorded):
        yield


def _nothing_compiled() -> AbstractContextManager[Any]:
    return mock.patch.object(sys.modules[_LIBRARY], "_opened", lambda: (None, _HIDDEN))


def _recorded(name: str, arguments: Arguments):
    with record_function(SCAN):
        return choose(name, arguments).scan(arguments)
