"""mamba-ssm's scan: what it is given, and what is said of an installation that does not work."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from tinyseg.children import run_child
from tinyseg.errors import TinysegError
from tinyseg.scan import mamba_ssm
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.mamba_ssm import MambaSSM
from tinyseg.scan.reference import reference_scan

CHILD = Path(__file__).with_name("with_mamba_ssm.py")
UNDEFINED = "selective_scan_cuda.so: undefined symbol: _ZN3c107WarningC1E"

pytestmark = pytest.mark.skipif(
    find_spec("mamba_ssm") is not None, reason="mamba-ssm is installed; stand-ins would hide it"
)
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")


def install(folder: Path, interface: str, compiled: str | None) -> Path:
    """Packages that stand in for mamba-ssm and its compiled part."""
    ops = folder / "mamba_ssm" / "ops"
    ops.mkdir(parents=True)
    for package in (ops.parent, ops):
        (package / "__init__.py").touch()
    (ops / "selective_scan_interface.py").write_text(interface)
    if compiled is not None:
        (folder / "selective_scan_cuda.py").write_text(compiled)
    return folder


def ask(folder: Path) -> dict:
    return run_child("The look at mamba-ssm", CHILD, {"folder": str(folder)}, timeout_s=120)


@needs_triton
@pytest.mark.parametrize(
    ("interface", "compiled", "said"),
    [
        ("import selective_scan_cuda", None, "without its compiled scan"),
        ("", f"raise ImportError({UNDEFINED!r})", UNDEFINED),
        ("raise RuntimeError('built for another device')", "", "built for another device"),
    ],
    ids=["no kernel", "undefined symbol", "error of its own"],
)
def test_a_broken_installation_is_said_once_and_triton_goes_on(tmp_path, interface, compiled, said):
    seen = ask(install(tmp_path, interface, compiled))
    assert said in seen["broken"]
    assert seen["unavailable"] == seen["broken"]
    warning = f"The scan goes on without the backend 'cuda': {seen['broken']}"
    assert seen["first"] == ["triton", [warning]]
    assert seen["second"] == ["triton", []]
    if not interface.startswith("raise"):  # the kernel itself, which is to be built
        assert "MAMBA_KEEP_CUDA_BUILD=TRUE" in seen["broken"]
        assert "--no-build-isolation" in seen["broken"]


def test_on_the_processor_nothing_is_said_and_nothing_imported(tmp_path):
    chosen, said, imported = ask(install(tmp_path, "", "raise ImportError"))["on_processor"]
    assert chosen not in ("cuda", "triton")
    assert said == []
    assert not imported


@needs_triton
def test_without_mamba_ssm_there_is_nothing_to_warn_of(tmp_path):
    seen = ask(tmp_path)
    assert seen["broken"] is None
    assert "pip install --no-build-isolation 'tinyseg[cuda]'" in seen["unavailable"]
    assert seen["first"] == ["triton", []]


def test_a_whole_installation_is_preferred(tmp_path):
    seen = ask(install(tmp_path, "", ""))
    assert seen["unavailable"] is None
    assert seen["first"] == ["cuda", []]


class StandIn:
    """Computes what mamba-ssm's function does, from its own arguments in its own layout."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...] | None] = []

    def selective_scan_fn(
        self, u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False,
        return_last_state=False,
    ):  # fmt: skip
        assert return_last_state
        tensors = (u, delta, A, B, C, D, z, delta_bias)
        self.shapes = [None if t is None else tuple(t.shape) for t in tensors]
        x, delta, B, C, z = (
            t if t is None or t.dim() < 3 else t.transpose(1, 2) for t in (u, delta, B, C, z)
        )
        y, last = reference_scan(Arguments(x, delta, A, B, C, D, z, delta_bias, delta_softplus))
        return y.transpose(1, 2), last


@pytest.fixture
def stand_in(monkeypatch) -> StandIn:
    interface = StandIn()
    monkeypatch.setattr(mamba_ssm, "import_module", lambda name: interface)
    return interface


def draw(full: bool) -> Arguments:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, requires_grad=True)

    x, delta, z = (normal(2, 7, 5) for _ in range(3))
    A = -torch.rand(5, 3, generator=generator)
    if full:
        return Arguments(
            x, delta, A, normal(2, 7, 3), normal(2, 7, 3), normal(5), z, normal(5), True
        )
    return Arguments(x, delta, A, normal(5, 3), normal(5, 3))


@pytest.mark.parametrize("full", [True, False])
def test_it_is_given_everything_time_last_and_in_order(stand_in, full):
    arguments = draw(full)
    y, last = MambaSSM().scan(arguments)
    expected, expected_last = reference_scan(arguments)
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(last, expected_last)
    sequence, states = (2, 5, 7), (2, 3, 7) if full else (5, 3)
    given = [(5,), sequence, (5,)] if full else [None, None, None]
    assert stand_in.shapes == [sequence, sequence, (5, 3), states, states, *given]


def test_the_last_state_carries_no_gradient(stand_in):
    y, last = MambaSSM().scan(draw(full=True))
    assert y.requires_grad
    assert not last.requires_grad


def test_a_second_derivative_raises(stand_in):
    arguments = draw(full=True)
    y, _ = MambaSSM().scan(arguments)
    with pytest.raises(TinysegError, match="no second derivative"):
        torch.autograd.grad(y.square().sum(), arguments.x, create_graph=True)
    (first,) = torch.autograd.grad(y.square().sum(), arguments.x)
    assert not first.requires_grad


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"discretisation": "euler"}, "knows the discretisation 'zoh' alone"),
        ({"x": (1, 0, 3)}, "takes no empty tensors"),
        ({"A": (3, 300)}, "takes 1 to 256 states, not 300"),
    ],
)
def test_what_it_cannot_compute_is_refused(change, reason):
    with FakeTensorMode():
        shapes = {"x": (1, 4, 3), "delta": (1, 4, 3), "A": (3, 2), "B": (1, 4, 2), "C": (1, 4, 2)}
        tensors = {k: torch.empty(change.get(k, v), device="cuda") for k, v in shapes.items()}
        arguments = Arguments(**tensors, discretisation=change.get("discretisation", "zoh"))
        double = arguments.to(torch.float64)
    assert MambaSSM().refuses(arguments) == reason
    assert MambaSSM().refuses(double) == "takes float32, not torch.float64"


def test_the_processor_is_refused():
    x = torch.zeros(1, 4, 3)
    arguments = Arguments(x, x, torch.zeros(3, 2), x[..., :2], x[..., :2])
    assert MambaSSM().refuses(arguments) == "takes tensors on a CUDA device, not on cpu"


class Convolution:
    """Stands in for causal-conv1d, with its demands on layouts."""

    @staticmethod
    def causal_conv1d_fn(x, weight, bias, activation):
        assert activation == "silu"
        channels_innermost = x.stride(1) == 1 and x.stride(2) > 1
        assert x.stride(2) == 1 or channels_innermost
        if channels_innermost:
            assert all(size % 8 == 0 for size in (x.shape[1], x.stride(0), x.stride(2)))
        channels, taps = weight.shape
        y = F.conv1d(x, weight[:, None], bias, padding=taps - 1, groups=channels)
        return F.silu(y[..., : x.shape[2]])


@pytest.mark.parametrize("channels", [3, 8])
@pytest.mark.parametrize("slice_of_more", [True, False])
def test_the_convolution_is_causal_in_every_layout(monkeypatch, channels, slice_of_more):
    monkeypatch.setattr(mamba_ssm, "import_module", lambda name: Convolution)
    x = torch.randn(2, 6, channels + 3 if slice_of_more else channels)[..., :channels]
    weight, bias = torch.randn(channels, 4), torch.randn(channels)
    y = mamba_ssm.causal_conv1d_silu(x, weight, bias)
    padded = F.pad(x, (0, 0, 3, 0))
    by_hand = bias + sum(padded[:, tap : tap + 6] * weight[:, tap] for tap in range(4))
    torch.testing.assert_close(y, F.silu(by_hand))


def test_a_missing_convolution_is_said():
    if find_spec("causal_conv1d") is not None:
        pytest.skip("causal-conv1d is installed")
    assert mamba_ssm.causal_conv1d_unavailable() == "causal-conv1d is not installed."
