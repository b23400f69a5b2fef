"""How work is shared out over threads."""

import ctypes
import json
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from tinyseg import native
from tinyseg.native import unavailable

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=str(unavailable()))

WORK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_long, ctypes.c_int)
PTHREADS, OPENMP = 1, 2
smallest = sys.float_info.min


def parallel(threads: int, items: int, work: Callable[[int, int], object]) -> None:
    def item(context: object, number: int, thread: int) -> None:
        work(number, thread)

    kernels = native.library()
    assert kernels is not None
    kernels.tinyseg_parallel(threads, ctypes.c_long(items), WORK(item), None)


def numbers_of(threads: int) -> list[int]:
    """The numbers of the threads, each of which has to take an item before any can go on."""
    barrier, numbers = threading.Barrier(threads), []

    def meet(_: int, thread: int) -> None:
        barrier.wait(60)
        numbers.append(thread)

    parallel(threads, threads, meet)
    return sorted(numbers)


def flushed() -> bool:
    """Whether this thread takes denormals for zero."""
    return smallest / 2 == 0.0


@pytest.mark.parametrize("threads", [0, 1, 2, 3, 8])
@pytest.mark.parametrize("items", [0, 1, 2, 7, 101])
def test_each_item_is_worked_on_once_by_a_numbered_thread(threads, items):
    seen: list[tuple[int, int]] = []
    parallel(threads, items, lambda item, thread: seen.append((item, thread)))
    assert sorted(item for item, _ in seen) == list(range(items))
    assert {thread for _, thread in seen} <= set(range(max(threads, 1)))


def test_one_thread_takes_items_in_order():
    seen: list[tuple[int, int]] = []
    parallel(1, 5, lambda item, thread: seen.append((item, thread)))
    assert seen == [(item, 0) for item in range(5)]


def test_a_call_within_an_item_is_done_by_the_thread_of_that_item():
    inner: dict[int, list[tuple[int, int]]] = {item: [] for item in range(5)}
    parallel(3, 5, lambda outer, _: parallel(3, 4, lambda *each: inner[outer].append(each)))
    assert inner == {outer: [(item, 0) for item in range(4)] for outer in range(5)}


@pytest.mark.parametrize("threads", [1, 2])
def test_denormals_are_zero_within_items_and_nowhere_else(threads):
    import torch  # not above: this module is also imported where threads are not torch's

    torch.set_flush_denormal(False)  # training sets it for the rest of a process
    assert not flushed()
    seen: list[bool] = []
    parallel(threads, 7, lambda item, thread: seen.append(flushed()))
    assert seen == [True] * 7
    assert not flushed()


IN_A_PROCESS = """
import json, os, sys, threading
from tests.native import test_parallel as here
from tinyseg import native
"""

SHARED = """
import torch
tasks = lambda: set(map(int, os.listdir("/proc/self/task")))
torch.set_num_threads(3)
denormal = torch.full((1 << 20,), 1e-40)
denormal * 1
before, workers = tasks(), set()
for _ in range(20):
    here.parallel(3, 50, lambda *item: workers.add(threading.get_native_id()))
print(json.dumps({
    "source": native.library().tinyseg_thread_source(),
    "new": len(tasks() - before), "strangers": len(workers - before),
    "zeros": int((denormal * 1 == 0).sum()), "numbers": here.numbers_of(3),
}))
"""

ALONE = """
print(json.dumps({
    "torch": "torch" in sys.modules, "source": native.library().tinyseg_thread_source(),
    "numbers": here.numbers_of(3), "flushed": here.flushed(),
    "left": len(os.listdir("/proc/self/task")) - 1,
}))
"""

KEPT = """
import torch
torch.set_flush_denormal(True)
here.parallel(2, 5, lambda *item: None)
print(json.dumps(here.flushed()))
"""


def said(program: str) -> object:
    command = [sys.executable, "-c", IN_A_PROCESS + program]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="torch's OpenMP is libgomp on Linux alone")
def test_threads_are_those_that_torch_has_and_get_their_settings_back():
    right = {"new": 0, "strangers": 0, "zeros": 0, "numbers": [0, 1, 2]}
    assert said(SHARED) == {"source": OPENMP, **right}


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_without_torch_threads_are_made_for_the_call():
    right = {"numbers": [0, 1, 2], "flushed": False, "left": 0}
    assert said(ALONE) == {"torch": False, "source": PTHREADS, **right}


def test_a_setting_that_the_caller_made_stays():
    assert said(KEPT) is True
