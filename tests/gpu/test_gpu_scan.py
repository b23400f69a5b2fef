"""The benchmark of the scan on CUDA devices, as far as it goes without one."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.gpu_scan import work

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_device_it_says_so_in_a_sentence():
    command = [sys.executable, "-m", "benchmarks.gpu_scan"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout == "There is no CUDA device here, so there is nothing to measure.\n"


def test_bytes_and_exponentials_of_a_forward_are_counted():
    # x, delta, z and y of 3 x 20 numbers; 16 of B and of C, a step and block of 16 channels.
    needed = work(batch=1, channels=20, length=3, phase="forward")
    assert needed.bytes == 4 * (4 * 60 + 2 * 3 * 2 * 16)
    assert needed.exponentials == 60 * (16 + 2)


def test_bytes_and_exponentials_of_a_step_of_training_are_counted():
    needed = work(batch=1, channels=16, length=16, phase="forward+backward")
    sequences, coefficients, kept = 11 * 256, 2 * 16 * 16, 16 * 16
    assert needed.bytes == 4 * (sequences + 3 * coefficients + 2 * kept)
    assert needed.exponentials == 256 * (18 + 2 * 17 + 2)
