"""`selective_scan` and `scan_sequence`: what they mean, and what they refuse."""

from itertools import product

import pytest
import torch
from torch import Tensor

from tests.scan.conftest import HERE
from tests.scan.drawing import draw
from tests.scan.test_reference import by_hand
from tinyseg.errors import UsageError
from tinyseg.scan import scan_sequence, selective_scan
from tinyseg.scan.arguments import Arguments

BATCH, CHANNELS, STATES, LENGTH = 2, 6, 4, 9
KINDS = {
    "variable": (BATCH, STATES, LENGTH),
    "grouped": (BATCH, 3, STATES, LENGTH),
    "one group": (BATCH, 1, STATES, LENGTH),
    "constant": (CHANNELS, STATES),
}


def given(B="variable", C="variable", dtype=torch.float64) -> dict[str, Tensor]:
    """All tensors of `selective_scan`, by name."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    sequence = (BATCH, CHANNELS, LENGTH)
    return {
        "u": normal(*sequence),
        "delta": normal(*sequence),
        "A": -torch.exp(normal(CHANNELS, STATES)),
        "B": normal(*KINDS[B]),
        "C": normal(*KINDS[C]),
        "D": normal(CHANNELS),
        "z": normal(*sequence),
        "delta_bias": normal(CHANNELS),
    }


def one_channel(tensors: dict[str, Tensor], d: int) -> Arguments:
    """A scan of a single channel, with the coefficients as that channel sees them."""

    def coefficient(tensor: Tensor) -> Tensor:
        if tensor.dim() == 2:
            return tensor[d : d + 1]
        if tensor.dim() == 4:
            tensor = tensor[:, d // (CHANNELS // tensor.shape[1])]
        return tensor.transpose(1, 2)

    def sequence(tensor: Tensor) -> Tensor:
        return tensor[:, d, :, None]

    here = slice(d, d + 1)
    return Arguments(
        sequence(tensors["u"]),
        sequence(tensors["delta"]),
        tensors["A"][here],
        coefficient(tensors["B"]),
        coefficient(tensors["C"]),
        tensors["D"][here],
        sequence(tensors["z"]),
        tensors["delta_bias"][here],
        True,
    )


@pytest.mark.parametrize(
    ("B", "C"), [pair for pair in product(KINDS, KINDS) if set(pair) != {"grouped", "one group"}]
)
def test_every_kind_of_coefficient_by_hand(B, C):
    tensors = given(B, C)
    y, last = selective_scan(**tensors, delta_softplus=True, return_last_state=True)
    for d in range(CHANNELS):
        alone, state = by_hand(one_channel(tensors, d))
        torch.testing.assert_close(y[:, d], alone[..., 0])
        torch.testing.assert_close(last[:, d], state[:, 0])


def test_gradients_reach_every_argument_of_a_grouped_scan():
    tensors = {name: t.requires_grad_() for name, t in given("grouped", "grouped").items()}
    assert torch.autograd.gradcheck(
        lambda *t: selective_scan(*t, delta_softplus=True), list(tensors.values())
    )


@pytest.mark.parametrize("backend", HERE)
def test_it_equals_another_implementation(backend):
    mamba = pytest.importorskip("mambapy.mamba", reason="mambapy is not installed")
    x, delta, A, B, C, D, *_ = draw(2, 50, 12, 16, options=("D",))
    block = mamba.MambaBlock(mamba.MambaConfig(d_model=6, n_layers=1))
    expected = block.selective_scan(x, delta, A, B, C, D)
    u, steps, over_B, over_C = (t.transpose(1, 2) for t in (x, delta, B, C))
    y = selective_scan(u, steps, A, over_B, over_C, D, backend=backend).transpose(1, 2)
    assert (y - expected).abs().max() <= 1e-6 * expected.abs().max()
    y = scan_sequence(x, delta, A, B, C, D, backend=backend)
    assert (y - expected).abs().max() <= 1e-6 * expected.abs().max()


def test_both_functions_are_the_same_scan():
    tensors = given(dtype=torch.float32)
    u, delta, A, B, C, D, z, bias = tensors.values()
    swapped = [t.transpose(1, 2) for t in (u, delta, B, C, z)]
    y = scan_sequence(*swapped[:2], A, *swapped[2:4], D, swapped[4], bias, True)
    assert torch.equal(selective_scan(**tensors, delta_softplus=True), y.transpose(1, 2))


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_half_types_give_their_type_and_a_float32_state(half):
    y, last = selective_scan(**given(dtype=half), return_last_state=True)
    assert (y.dtype, last.dtype) == (half, torch.float32)


def wrong(tensor: Tensor, how: str) -> Tensor:
    return {
        "longer": lambda: torch.cat([tensor, tensor[..., :1]], -1),
        "flat": tensor.flatten,
        "integer": tensor.int,
        "complex": lambda: tensor.to(torch.complex64),
        "double": tensor.double,
        "elsewhere": lambda: tensor.to("meta"),
    }[how]()


HOW = ["longer", "flat", "integer", "complex", "double", "elsewhere"]
SAYS = {
    "longer": r"should have the shape \(",
    "flat": r"should (be|have the shape) \(",
    "integer": "should be float32, float64, float16 or bfloat16, not int32",
    "complex": "should be float32, float64, float16 or bfloat16, not complex64",
    "double": "should be float32 or a half type because .* float32, not float64",
    "elsewhere": "should be on cpu as .* is, not on meta",
}


def mistakes(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Every argument with all that can be wrong with it; the first sets sizes, type and device."""
    first, vectors = names[0], ("D", "delta_bias")
    fine = {(first, how) for how in ("longer", "double", "elsewhere")}
    fine |= {(vector, "flat") for vector in vectors}
    return [pair for pair in product(names, HOW) if pair not in fine]


NAMES = Arguments._fields[:8]


@pytest.mark.parametrize(("name", "how"), mistakes(("u", *NAMES[1:])))
def test_selective_scan_names_what_is_wrong(name, how):
    tensors = given(dtype=torch.float32)
    tensors[name] = wrong(tensors[name], how)
    blamed = "B" if (name, how) == ("A", "longer") else name
    with pytest.raises(UsageError, match=f"^{blamed} {SAYS[how]}"):
        selective_scan(**tensors)


@pytest.mark.parametrize(("name", "how"), mistakes(NAMES))
def test_scan_sequence_names_what_is_wrong(name, how):
    arguments = draw()
    arguments = arguments._replace(**{name: wrong(getattr(arguments, name), how)})
    blamed = "B" if (name, how) == ("A", "longer") else name
    with pytest.raises(UsageError, match=f"^{blamed} {SAYS[how]}"):
        scan_sequence(*arguments.tensors)


def test_float64_goes_with_float64_alone():
    tensors = given() | {"A": given(dtype=torch.float32)["A"]}
    with pytest.raises(UsageError, match="A should be float64 because u is float64, not float32"):
        selective_scan(**tensors)


def test_groups_divide_the_channels_and_agree():
    tensors = given("grouped", "one group")
    with pytest.raises(UsageError, match="C should have as many groups as B, 3, not 1"):
        selective_scan(**tensors)
    tensors["B"] = torch.randn(BATCH, 4, STATES, LENGTH, dtype=torch.float64)
    with pytest.raises(UsageError, match="B should have groups that divide its 6 channels, not 4"):
        selective_scan(**tensors)


def test_unknown_words_are_named():
    with pytest.raises(UsageError, match="discretisation should be zoh or euler, not 'bilinear'"):
        selective_scan(**given(), discretisation="bilinear")
    with pytest.raises(UsageError, match="discretisation should be zoh or euler, not 'ZOH'"):
        scan_sequence(*draw().tensors, discretisation="ZOH")
    with pytest.raises(UsageError, match=r"backend is called 'fast'.*auto, .*reference"):
        selective_scan(**given(), backend="fast")


def test_a_backend_says_what_it_cannot_compute():
    with pytest.raises(UsageError, match=r"backend 'chunked' needs B .* Leave the backend"):
        selective_scan(**given("constant"), backend="chunked")
