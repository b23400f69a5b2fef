"""The C sources under other compilers, as plain C, and on ARM, whose vectors are NEON's."""

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.native import convolutions, norms
from tests.native.compiling import SOURCES, compile_c, extension
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.reference import Reference

ARM, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
BUILDS = {
    "gcc": ["gcc"],
    "clang": ["clang"],
    "plain C": ["gcc", "-DTINYSEG_PORTABLE"],
    "plain C by clang": ["clang", "-DTINYSEG_PORTABLE"],
    "ARM": [ARM, "-static"],
}
# batch, length, channels, states
SCANS = [(2, 19, 5, 3), (1, 8, 17, 16), (3, 1, 16, 8)]
# batch, channels, height, width, groups, taps
PICTURES = [(2, 8, 6, 8, 4, 4), (1, 21, 5, 7, 7, 3), (3, 16, 2, 2, 4, 1)]


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


def as_bytes(sizes: Sequence[int], tensors: Iterable[Tensor]) -> bytes:
    return np.array(sizes, np.int64).tobytes() + b"".join(t.numpy().tobytes() for t in tensors)


def built(build: str, program: str, sources: Sequence[str], folder: Path) -> list[str]:
    """The command that runs a program beside this file, compiled with some of the sources."""
    compiler, *flags = BUILDS[build]
    emulator = [EMULATOR] if build == "ARM" else []
    needs(compiler, *emulator)
    files = [str(Path(__file__).with_name(program)), *(str(SOURCES / name) for name in sources)]
    return [*emulator, str(compile_c(compiler, [*flags, *files], folder / "program"))]


def assert_writes(command: list[str], given: bytes, expected: Iterable[Tensor]) -> None:
    done = subprocess.run(command, input=given, capture_output=True, check=True)
    left = torch.frombuffer(bytearray(done.stdout), dtype=torch.float32).double()
    for number, exact in enumerate(expected):
        found, left = left[: exact.numel()].view(exact.shape), left[exact.numel() :]
        error = (found - exact).abs().max() / exact.abs().max().clamp(min=1e-6)
        assert error < 5e-6, (number, error)
    assert left.numel() == 0


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
    command = built(build, "scan_of_a_file.c", ("dispatch.c", "parallel.c", "scan.c"), tmp_path)
    for shape in SCANS:
        arguments, grad_y = drawn(*shape)
        x, delta, A, B, C, D, z, bias = arguments.tensors
        given = as_bytes(shape, (x, delta, B, C, z, A, D, bias, grad_y))
        assert_writes(command, given, expected(arguments, grad_y))


@pytest.mark.parametrize("build", BUILDS)
def test_every_build_computes_norms_and_convolutions_and_their_gradients(build, tmp_path):
    layers = ("group_norm.c", "norm_pool.c", "causal_conv.c")
    command = built(build, "layers_of_a_file.c", ("dispatch.c", "parallel.c", *layers), tmp_path)
    for batch, channels, height, width, groups, taps in PICTURES:
        x, weight, bias, grad_y = norms.draw(batch, channels, height, width)
        grad_pooled = norms.draw(batch, channels, height // 2, width // 2)[3]
        kernel = torch.linspace(-1, 1, channels * taps).view(channels, 1, taps)
        innermost = (t.permute(0, 2, 3, 1).contiguous() for t in (x, grad_y, grad_pooled))
        x_rows, grad_rows, grad_pooled_rows = innermost
        given = as_bytes(
            (batch, height, width, channels, groups, taps),
            (x_rows, weight, bias, grad_rows, grad_pooled_rows, kernel),
        )
        normed = norms.in_double(norms.in_two_passes, x, weight, bias, grad_y, groups)
        pooled = norms.in_double(norms.then_pooled, x, weight, bias, grad_pooled, groups)
        steps = [x_rows.flatten(1, 2), kernel, bias, grad_rows.flatten(1, 2)]
        convolved = convolutions.outcome(convolutions.by_hand, *(t.double() for t in steps))
        pictures = (t.permute(0, 2, 3, 1) if t.dim() == 4 else t for t in (*normed, *pooled))
        assert_writes(command, given, (*pictures, *convolved))
