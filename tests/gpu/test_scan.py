"""The scan on a CUDA device."""

from importlib.util import find_spec

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tinyseg.scan import BACKENDS, scan_sequence
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.backends import choose
from tinyseg.scan.mamba_ssm import causal_conv1d_silu, causal_conv1d_unavailable
from tinyseg.scan.reference import reference_scan
from tinyseg.scan.triton_scan import TritonScan

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")


def draw(batch=2, length=37, channels=20, states=16, full=True, euler=False) -> Arguments:
    generator = torch.Generator("cuda").manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, device="cuda", generator=generator)

    sequence = (batch, length, channels)
    x, delta, z = normal(*sequence), normal(*sequence), normal(*sequence)
    A = -torch.exp(normal(channels, states))
    if euler:  # whose states overflow within 200 steps where delta |A| often exceeds 2
        delta = delta - 4 if full else delta / 50
        A = A.clamp(min=-8)
    B, C = normal(batch, length, states), normal(batch, length, states)
    rule = "euler" if euler else "zoh"
    if full:
        bias = normal(channels) / 10
        return Arguments(x, delta, A, B, C, normal(channels), z, bias, True, rule)
    return Arguments(x, delta.abs(), A, B, C, discretisation=rule)


def outcome(scan, arguments: Arguments) -> list[Tensor]:
    """The result, the last state and the gradients of a scan."""
    leaves = [None if t is None else t.detach().requires_grad_() for t in arguments.tensors]
    y, last = scan(Arguments(*leaves, *arguments[8:]))
    weight = torch.cos(torch.arange(y.numel(), device="cuda", dtype=y.dtype)).view_as(y)
    (y * (1 + weight / 2)).sum().backward()
    return [y.detach(), last.detach(), *(leaf.grad for leaf in leaves if leaf is not None)]


def assert_close_to_float64(scan, arguments: Arguments) -> None:
    found = outcome(scan, arguments)
    exact = outcome(reference_scan, arguments.to(torch.float64))
    for number, (a, b) in enumerate(zip(found, exact, strict=True)):
        # The last state of 4,096 steps adds up the rounding of as many decays.
        bound = (1e-6, 2e-6, *[5e-6] * 8)[number] * b.abs().max()
        assert (a - b).abs().max() <= bound, f"output {number}"


@needs_triton
@pytest.mark.parametrize("euler", [False, True], ids=["zoh", "euler"])
@pytest.mark.parametrize("full", [True, False], ids=["everything fused", "bare"])
@pytest.mark.parametrize("segments", [None, 1, 4, 64])
def test_triton_agrees_with_float64(segments, full, euler):
    scan = TritonScan(segments).scan
    assert_close_to_float64(scan, draw(length=1000, channels=17, full=full, euler=euler))


@needs_triton
@pytest.mark.parametrize("length", [1, 15, 16, 17, 4096])
def test_triton_agrees_with_float64_at_every_length(length):
    assert_close_to_float64(TritonScan().scan, draw(length=length, channels=12))


@needs_triton
@pytest.mark.parametrize(("channels", "states"), [(1, 1), (12, 5), (1024, 16), (40, 64)])
def test_triton_agrees_with_float64_at_every_width(channels, states):
    assert_close_to_float64(TritonScan().scan, draw(channels=channels, states=states))


@needs_triton
@pytest.mark.parametrize("segments", [1, 8])
def test_triton_gives_the_same_numbers_in_every_run(segments):
    arguments = draw(batch=8, length=512, channels=64)
    first, second = (outcome(TritonScan(segments).scan, arguments) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@needs_triton
def test_triton_reaches_beyond_2_to_the_31_elements():
    stride = 2**30
    if torch.cuda.mem_get_info()[0] < 12 * 2**30:
        pytest.skip("the device has less than 12 GiB free")
    wide = torch.empty(2 * stride + 4, device="cuda").as_strided((1, 3, 4), (4, stride, 1))
    arguments = draw(batch=1, length=3, channels=4)
    wide.copy_(arguments.x)
    assert_close_to_float64(TritonScan().scan, arguments._replace(x=wide))


@needs_triton
def test_a_compiled_layer_sees_an_operator():
    arguments = draw(channels=32)

    def layer(*tensors: Tensor) -> Tensor:
        return scan_sequence(*tensors, delta_softplus=True)

    compiled = torch.compile(layer, fullgraph=True)
    torch.testing.assert_close(compiled(*arguments.tensors), layer(*arguments.tensors))


@needs_triton
def test_auto_stays_on_the_device():
    assert choose("auto", draw()).name in ("cuda", "triton")


def test_mamba_ssm_agrees_with_float64():
    if reason := BACKENDS["cuda"].unavailable():
        pytest.skip(reason)
    assert_close_to_float64(BACKENDS["cuda"].scan, draw(length=1000, channels=17))


@pytest.mark.parametrize("channels", [12, 16])
def test_causal_conv1d_agrees_with_torch(channels):
    if reason := causal_conv1d_unavailable():
        pytest.skip(reason)
    x = torch.randn(2, 100, 2 * channels, device="cuda")[..., :channels]
    weight, bias = torch.randn(channels, 4, device="cuda"), torch.randn(channels, device="cuda")
    padded = F.pad(x.transpose(1, 2), (3, 0)).double()
    exact = F.silu(F.conv1d(padded, weight[:, None].double(), bias.double(), groups=channels))
    y = causal_conv1d_silu(x, weight, bias)
    torch.testing.assert_close(y.double(), exact.transpose(1, 2), rtol=1e-5, atol=1e-5)
