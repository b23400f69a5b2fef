import os
import subprocess
import sys

import pytest

from benchmarks.process import ALLOCATORS, allocator_environment
from tests.benchmarks.command import REPOSITORY

# Says, on standard error, how often memory of 64 MB was faulted in anew once it had been freed.
PROGRAM = """
import sys, resource
from benchmarks.process import settle
settle(sys.argv[1], 1)
import torch
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3): torch.ones(2**24)
before = faults()
for _ in range(4): torch.ones(2**24)
print(faults() - before)
"""


def faults(allocator, **environment):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, allocator],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
    )
    return int(done.stdout)


def test_an_allocator_has_its_own_settings_alone():
    present = {"HOME": "/root", "MALLOC_ARENA_MAX": "1", "TRITON_INTERPRET": "1"}
    assert allocator_environment(present, {}) == {"HOME": "/root"}
    retained = allocator_environment(present, ALLOCATORS["retained"])
    assert retained == {"HOME": "/root", **ALLOCATORS["retained"]}


@pytest.mark.skipif(
    not hasattr(os, "confstr") or "glibc" not in (os.confstr("CS_GNU_LIBC_VERSION") or ""),
    reason="the settings are glibc's",
)
def test_a_retained_heap_is_not_faulted_in_again():
    assert faults("retained") < 100
    # Also where the environment asks for it, default is what a user without it gets.
    assert faults("default", **ALLOCATORS["retained"]) > 10000
