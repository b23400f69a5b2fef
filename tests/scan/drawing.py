"""Arguments for scans, and how far a scan is from float64."""

import math

import torch
from torch import Tensor

from tinyseg.scan.arguments import Arguments
from tinyseg.scan.reference import reference_scan

NAMES = ("x", "delta", "A", "B", "C", "D", "z", "delta_bias")
OPTIONS = ("D", "z", "delta_bias", "softplus")


def draw(
    batch=2,
    length=37,
    channels=5,
    states=4,
    *,
    options=OPTIONS,
    discretisation="zoh",
    steps=(1e-3, 2.0),
    dtype=torch.float32,
) -> Arguments:
    """Step sizes are log-uniform in ``steps`` where they do not go through softplus."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    sequence, coefficient = (batch, length, channels), (batch, length, states)
    A = -torch.exp(normal(channels, states) / 2)
    delta = normal(*sequence)
    if "softplus" not in options:
        low, high = (math.log(step) for step in steps)
        uniform = torch.rand(*sequence, generator=generator, dtype=torch.float64)
        delta = torch.exp(low + (high - low) * uniform).to(dtype)
    if discretisation == "euler":
        A = A / (4 * steps[1])  # a larger step would let the states grow without bound
    return Arguments(
        normal(*sequence),
        delta,
        A,
        normal(*coefficient),
        normal(*coefficient),
        normal(channels) if "D" in options else None,
        normal(*sequence) if "z" in options else None,
        normal(channels) / 10 if "delta_bias" in options else None,
        "softplus" in options,
        discretisation,
    )


def outcome(scan, arguments: Arguments) -> dict[str, Tensor]:
    """The result, the last state and the gradients of a scan, by name."""
    leaves = [None if t is None else t.detach().requires_grad_() for t in arguments.tensors]
    y, last = scan(Arguments(*leaves, *arguments[8:]))
    weight = 1 + torch.cos(torch.arange(y.numel(), dtype=y.dtype)).reshape(y.shape) / 2
    (y * weight).sum().backward()
    found = {"y": y.detach(), "last": last.detach()}
    for name, leaf in zip(NAMES, leaves, strict=True):
        if leaf is not None:
            found[name] = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
    return found


def truth(arguments: Arguments) -> dict[str, Tensor]:
    """The outcome by autograd of the sequential scan in float64."""
    return outcome(reference_scan, arguments.to(torch.float64))


def assert_exact(scan, arguments: Arguments, forward=1e-6, gradients=5e-6, absolute=0.0) -> None:
    """Fails unless a scan is as close to float64 as allowed, relative to the largest entry."""
    found, expected = outcome(scan, arguments), truth(arguments)
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        allowed = forward if name in ("y", "last") else gradients
        assert tensor.shape == expected[name].shape, name
        if expected[name].numel():
            error = (tensor - expected[name]).abs().max()
            assert error <= allowed * expected[name].abs().max() + absolute, f"{name}: {error:.3g}"
