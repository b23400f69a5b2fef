"""Child of `test_triton`: Triton's interpreter on many small scans, against float64.

Answers with the error of each output of each scan, relative to the largest entry of that output.
"""

import torch
from torch import Tensor

from tinyseg.children import serve
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.reference import reference_scan
from tinyseg.scan.triton_scan import TritonScan

OUTPUTS = ("y", "last", "x", "delta", "A", "B", "C", "D", "z", "delta_bias")


def draw(batch=2, length=20, channels=5, states=4, full=True, euler=False) -> Arguments:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    sequence = (batch, length, channels)
    x, delta, z = normal(*sequence), normal(*sequence), normal(*sequence)
    A = -torch.exp(normal(channels, states)) * (0.2 if euler else 1)
    B, C = normal(batch, length, states), normal(batch, length, states)
    rule = "euler" if euler else "zoh"
    if full:
        bias = normal(channels) / 10
        return Arguments(x, delta, A, B, C, normal(channels), z, bias, True, rule)
    return Arguments(x, delta.abs(), A, B, C, discretisation=rule)


def as_a_layer_slices_them(arguments: Arguments) -> Arguments:
    """Slices of one tensor, a last stride other than 1, and a batch that is the same throughout."""
    x, delta, A, B, C, D, z, bias, *rest = arguments
    x = x.transpose(1, 2).contiguous().transpose(1, 2)
    z = torch.cat([x, z], 2)[..., x.shape[2] :]
    both = torch.cat([delta[..., :1], B, C], 2)
    B, C = both[..., 1:].split(B.shape[2], 2)
    return Arguments(x, delta[:1].expand_as(delta), A.t().contiguous().t(), B, C, D, z, bias, *rest)


def with_delta(value: float) -> Arguments:
    """Steps of about one size, through softplus."""
    arguments = draw(states=16, full=False)
    steps = torch.full_like(arguments.x, value) * (1 + arguments.delta / 10)
    raw = steps + torch.log(-torch.expm1(-steps))
    A = -torch.arange(1.0, 17).expand(5, 16)
    return arguments._replace(A=A, delta=raw, delta_softplus=True)


def outcome(scan, arguments: Arguments, uniform: bool) -> list[Tensor]:
    leaves = [None if t is None else t.detach().requires_grad_() for t in arguments.tensors]
    y, last = scan(Arguments(*leaves, *arguments[8:]))
    if not uniform:  # a plain sum gives a gradient whose strides are all 0
        y = y * (1 + torch.cos(torch.arange(y.numel(), dtype=y.dtype)).view_as(y) / 2)
    y.sum().backward()
    return [y.detach(), last, *(None if leaf is None else leaf.grad for leaf in leaves)]


def errors(arguments: Arguments, segments: int | None = 1, uniform=False) -> dict[str, float]:
    found = outcome(TritonScan(segments).scan, arguments, uniform)
    exact = outcome(reference_scan, arguments.to(torch.float64), uniform)
    shapes = [arguments.x, found[1], *arguments.tensors]
    result = {}
    for name, a, b, like in zip(OUTPUTS, found, exact, shapes, strict=True):
        assert (a is None) == (like is None) and (a is None or a.shape == like.shape), name
        if a is not None and b is not None and a.numel():
            difference, largest = (a - b).abs().max().item(), b.abs().max().item()
            result[name] = difference / largest if largest else difference
    return result


if __name__ == "__main__":
    answer = {
        "everything fused, last block of channels masked": errors(draw(length=19, channels=20)),
        "16 states": errors(draw(length=17, channels=3, states=16)),
        "bare": errors(draw(full=False)),
        "euler": errors(draw(euler=True)),
        "euler, bare": errors(draw(full=False, euler=True)),
        "1 channel, 1 state": errors(draw(channels=1, states=1)),
        "5 states": errors(draw(states=5)),
        "20 states": errors(draw(channels=9, states=20)),
        "2 segments": errors(draw(length=20), segments=2),
        "4 segments": errors(draw(batch=1, length=50), segments=4),
        "4 segments, euler": errors(draw(batch=1, length=64, euler=True), segments=4),
        "3 segments, bare": errors(draw(length=33, full=False), segments=3),
        "more segments than there can be": errors(draw(length=20), segments=64),
        "strides": errors(as_a_layer_slices_them(draw(length=18))),
        "strides, 2 segments": errors(as_a_layer_slices_them(draw(length=18)), segments=2),
        "a gradient without strides": errors(draw(length=18), uniform=True),
        "batch 0": errors(draw(batch=0)),
        "length 0": errors(draw(length=0)),
        **{f"length {n}": errors(draw(length=n)) for n in (1, 15, 16, 17)},
        **{f"delta {value}": errors(with_delta(value)) for value in (1e-6, 1e-4, 1.0, 20.0)},
    }
    serve(answer)
