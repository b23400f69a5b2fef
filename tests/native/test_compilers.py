"""The C sources under other compilers, as plain C, and on ARM, whose vectors are NEON's."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.native.compiling import SOURCES, compile_c, extension
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.reference import Reference

PROGRAM = Path(__file__).with_name("scan_of_a_file.c")
ARM, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
BUILDS = {
    "gcc": ["gcc"],
    "clang": ["clang"],
    "plain C": ["gcc", "-DTINYSEG_PORTABLE"],
    "plain C by clang": ["clang", "-DTINYSEG_PORTABLE"],
    "ARM": [ARM, "-static"],
}
SHAPES = [(2, 19, 5, 3), (1, 8, 17, 16), (3, 1, 16, 8)]  # batch, length, channels, states


def needs(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


def drawn(batch: int, length: int, channels: int, states: int) -> tuple[Arguments, Tensor]:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    sequence, narrow = (batch, length, channels), (batch, length, states)
    A = -torch.exp(draw(channels, states))
    tensors = (draw(*sequence), draw(*sequence), A, draw(*narrow), draw(*narrow))
    D, z, bias = draw(channels), draw(*sequence), draw(channels)
    return Arguments(*tensors, D, z, bias, True), draw(*sequence)


def expected(arguments: Arguments, grad_y: Tensor) -> list[Tensor]:
    """y, last state and the eight gradients, in double precision."""
    exact = arguments.to(torch.float64)
    for tensor in exact.tensors:
        tensor.requires_grad_()
    y, last = Reference().scan(exact)
    return [y, last, *torch.autograd.grad(y, exact.tensors, grad_y.double())]


def as_file(arguments: Arguments, grad_y: Tensor) -> bytes:
    x, delta, A, B, C, D, z, bias = arguments.tensors
    sizes = np.array([*x.shape, A.shape[1]], np.int64).tobytes()
    return sizes + b"".join(
        tensor.numpy().tobytes() for tensor in (x, delta, B, C, z, A, D, bias, grad_y)
    )


@pytest.mark.parametrize("compiler", ["gcc", "clang", ARM])
@pytest.mark.parametrize("source", extension()["sources"])
def test_no_compiler_has_anything_to_remark(compiler, source, tmp_path):
    needs(compiler)
    compile_c(compiler, ["-c", source], tmp_path / "object")


def test_every_source_and_header_is_part_of_the_build():
    for key, pattern in (("sources", "*.c"), ("depends", "*.h")):
        assert set(extension()[key]) == {f"tinyseg/native/{f.name}" for f in SOURCES.glob(pattern)}


@pytest.mark.parametrize("build", BUILDS)
def test_every_build_computes_the_scan_and_its_gradients(build, tmp_path):
    compiler, *flags = BUILDS[build]
    needs(compiler, *([EMULATOR] if build == "ARM" else []))
    sources = [str(SOURCES / name) for name in ("dispatch.c", "parallel.c", "scan.c")]
    program = compile_c(compiler, [*flags, str(PROGRAM), *sources], tmp_path / "program")
    for shape in SHAPES:
        arguments, grad_y = drawn(*shape)
        command = [*([EMULATOR] if build == "ARM" else []), str(program)]
        done = subprocess.run(
            command, input=as_file(arguments, grad_y), capture_output=True, check=True
        )
        left = torch.frombuffer(bytearray(done.stdout), dtype=torch.float32).double()
        for exact in expected(arguments, grad_y):
            found, left = left[: exact.numel()].view(exact.shape), left[exact.numel() :]
            error = (found - exact).abs().max() / exact.abs().max().clamp(min=1e-6)
            assert error < 5e-6, (shape, error)
        assert left.numel() == 0
