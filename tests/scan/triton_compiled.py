"""Child of `test_triton`: compiles the kernels for a CUDA device that need not be there.

Asked for a compute capability (80 is 8.0), it answers with what Triton's own disassembler says
each kernel uses.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from tinyseg.children import serve
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.triton_scan import TritonScan

DISASSEMBLER = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"


class NoDevice:
    """Stands in for a driver, which says what to compile for."""

    def __init__(self, capability: int) -> None:
        self.capability = capability

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", self.capability, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0


def compiled_kernels(arguments: Arguments) -> dict[str, bytes]:
    """What a scan would launch, by name; the numbers that come out mean nothing."""
    found = {}
    launch = JITFunction.run

    def compile_alone(function, *values, grid, warmup, **options):
        kernel = launch(function, *values, grid=grid, warmup=True, **options)
        found[function.fn.__name__] = kernel.asm["cubin"]
        return kernel

    JITFunction.run = compile_alone
    scan = TritonScan(segments=4)
    y, _, starts = scan.forward(arguments, keep_starts=True)
    scan.backward(arguments, starts, y)
    return found


def usage(cubin: bytes) -> dict[str, int]:
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [DISASSEMBLER, "--dump-resource-usage", file.name]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {name: int(number) for name, number in re.findall(r"(REG|STACK|LOCAL):(\d+)", said)}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    driver.set_active(NoDevice(asked["capability"]))
    x, sequence = torch.randn(2, 64, 64), torch.randn(2, 64, 33)
    B, C = sequence[..., 1:].split(16, 2)
    A, D = -torch.rand(32, 16), torch.randn(32)
    arguments = Arguments(
        *(x[..., :32], x[..., 32:], A, B, C, D, x[..., 32:], D, True, asked["discretisation"])
    )
    kernels = compiled_kernels(arguments)
    serve({name: usage(cubin) for name, cubin in kernels.items()})
