"""The Triton scan: exact in the interpreter, compilable without a device, clear about inputs."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from tinyseg.children import run_child
from tinyseg.errors import UsageError
from tinyseg.scan import selective_scan
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.triton_scan import TritonScan, segments_for

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")

INTERPRETED = Path(__file__).with_name("triton_interpreted.py")
COMPILED = Path(__file__).with_name("triton_compiled.py")


@pytest.fixture(scope="session")
def errors(once_for_all) -> dict[str, dict[str, float]]:
    """Errors of interpreted scans by name; the variable has to be there before Triton is."""

    def make(folder: Path) -> None:
        folder.mkdir()
        environment = {"TRITON_INTERPRET": "1"}
        answer = run_child(
            "The interpreter", INTERPRETED, {}, timeout_s=300, environment=environment
        )
        (folder / "errors.json").write_text(json.dumps(answer))

    return json.loads((once_for_all("triton", make) / "errors.json").read_text())


@needs_triton
@pytest.mark.parametrize(
    "scan",
    [
        "everything fused, last block of channels masked",
        "16 states",
        "bare",
        "euler",
        "euler, bare",
        "1 channel, 1 state",
        "5 states",
        "20 states",
        "2 segments",
        "4 segments",
        "4 segments, euler",
        "3 segments, bare",
        "more segments than there can be",
        "strides",
        "strides, 2 segments",
        "a gradient without strides",
        "batch 0",
        "length 0",
        "length 1",
        "length 15",
        "length 16",
        "length 17",
        "delta 1e-06",
        "delta 0.0001",
        "delta 1.0",
        "delta 20.0",
    ],
)
def test_it_agrees_with_float64(errors, scan):
    of_outputs = errors[scan]
    results = {name: of_outputs.pop(name) for name in ("y", "last") if name in of_outputs}
    assert of_outputs
    assert all(error <= 1e-6 for error in results.values()), results
    assert all(error <= 5e-6 for error in of_outputs.values()), of_outputs


@needs_triton
@pytest.mark.parametrize("discretisation", ["zoh", "euler"])
@pytest.mark.parametrize("capability", [80, 90])
def test_the_kernels_compile_for_a_device_and_fit_its_registers(capability, discretisation):
    request = {"capability": capability, "discretisation": discretisation}
    kernels = run_child("Triton", COMPILED, request, timeout_s=300)
    assert kernels.keys() == {"forward_ends", "forward", "backward_ends", "backward"}
    for name, usage in kernels.items():
        assert 0 < usage["REG"] < 255, name
        assert usage["STACK"] == usage["LOCAL"] == 0, name


def test_time_is_cut_only_where_programs_are_few():
    assert segments_for(programs=32, length=1024, multiprocessors=132) == 45  # sqrt(2 x 1024)
    assert segments_for(programs=256, length=1024, multiprocessors=132) == 8  # 2112 / 256
    assert segments_for(programs=512, length=256, multiprocessors=132) == 4
    assert segments_for(programs=1024, length=1024, multiprocessors=132) == 1
    assert segments_for(programs=1, length=32, multiprocessors=132) == 1
    assert segments_for(programs=1, length=64, multiprocessors=132) == 4  # of 16 steps


def draw(dtype=torch.float32) -> list[torch.Tensor]:
    x = torch.randn(1, 3, 4, dtype=dtype)
    return [x, x, -torch.rand(3, 2, dtype=dtype), *torch.randn(2, 1, 2, 4, dtype=dtype)]


def test_tensors_elsewhere_than_on_a_device_are_refused():
    reason = TritonScan().refuses(Arguments(*(t.transpose(-1, -2) for t in draw())))
    assert reason == "takes tensors on a CUDA device, not on cpu"


@needs_triton
def test_what_is_refused_is_said_in_a_sentence():
    with pytest.raises(UsageError, match=r"The scan backend 'triton' takes tensors on a CUDA"):
        selective_scan(*draw(), backend="triton")


def test_float64_and_constant_coefficients_are_refused_in_the_interpreter(monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    x, delta, A, B, C = draw(torch.float64)
    in_time = [t.transpose(1, 2) for t in (x, delta, B, C)]
    arguments = Arguments(*in_time[:2], A, *in_time[2:])
    assert TritonScan().refuses(arguments) == "takes float32, not torch.float64"
    assert TritonScan().refuses(arguments.to(torch.float32)) is None
    constant = arguments.to(torch.float32)._replace(B=A.float())
    assert TritonScan().refuses(constant) == "needs B and C that vary in time"


def test_without_triton_the_mend_is_named(monkeypatch):
    monkeypatch.setattr("tinyseg.scan.triton_scan.find_spec", lambda name: None)
    assert "pip install 'tinyseg[triton]'" in TritonScan().unavailable()


@needs_triton
def test_without_a_c_compiler_the_mend_is_named(monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("PATH", "")
    assert "Install gcc" in TritonScan().unavailable()
    monkeypatch.setenv("CC", "some-compiler")
    assert TritonScan().unavailable() is None
