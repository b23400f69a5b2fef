"""`selective_scan`: mamba-ssm's meaning, names and shapes."""

import torch
from torch import Tensor

from tinyseg.errors import UsageError
from tinyseg.scan.arguments import Arguments, Discretisation
from tinyseg.scan.backends import choose


def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
    return_last_state: bool = False,
    backend: str = "auto",
    discretisation: Discretisation = "zoh",
) -> Tensor | tuple[Tensor, Tensor]:
    """Selective scan of Mamba (Gu and Dao 2023, algorithm 2); stands in for `selective_scan_fn`.

    Args:
        u: input, (batch, channels, length).
        delta: step sizes, (batch, channels, length).
        A: (channels, states), real.
        B: (batch, states, length), grouped (batch, groups, states, length), or constant
            (channels, states).
        C: as B.
        D: skip, (channels).
        z: gate, (batch, channels, length): the result is multiplied by SiLU(z).
        delta_bias: added to delta, (channels).
        delta_softplus: whether delta goes through softplus, after its bias.
        return_last_state: whether to return the last state too; it carries no gradient.
        backend: ``auto`` or a name in `tinyseg.scan.BACKENDS`.
        discretisation: ``zoh`` (Mamba's) or ``euler``.

    Returns:
        (batch, channels, length) in the type of u; with ``return_last_state`` also
        (batch, channels, states). Half types are computed in float32.

    Raises:
        UsageError: a shape or type that does not fit; the sentence names the argument.
    """
    _check(u, delta, A, B, C, D, z, delta_bias)
    kind = torch.promote_types(u.dtype, torch.float32)
    groups = next((tensor.shape[1] for tensor in (B, C) if tensor.dim() == 4), 1)
    with torch.autocast(u.device.type, enabled=False):
        parts = [
            choose(backend, part).scan(part)
            for group in range(groups)
            for part in [
                Arguments(
                    _channels(u, 1, group, groups).transpose(1, 2),
                    _channels(delta, 1, group, groups).transpose(1, 2),
                    _channels(A, 0, group, groups),
                    _of_group(B, group, groups),
                    _of_group(C, group, groups),
                    None if D is None else _channels(D, 0, group, groups),
                    None if z is None else _channels(z, 1, group, groups).transpose(1, 2),
                    None if delta_bias is None else _channels(delta_bias, 0, group, groups),
                    delta_softplus,
                    discretisation,
                ).to(kind)
            ]
        ]
    ys, lasts = zip(*parts, strict=True)
    y = torch.cat(ys, 2).transpose(1, 2).to(u.dtype)
    return (y, torch.cat(lasts, 1)) if return_last_state else y


def _channels(tensor: Tensor, dimension: int, group: int, groups: int) -> Tensor:
    return tensor.chunk(groups, dimension)[group]


def _of_group(coefficient: Tensor, group: int, groups: int) -> Tensor:
    if coefficient.dim() == 2:
        return coefficient.chunk(groups)[group]
    if coefficient.dim() == 4:
        coefficient = coefficient[:, group]
    return coefficient.transpose(1, 2)


def _check(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    z: Tensor | None,
    delta_bias: Tensor | None,
) -> None:
    if u.dim() != 3:
        raise UsageError(f"u should be (batch, channels, length), not {tuple(u.shape)}.")
    if not u.is_floating_point():
        raise UsageError(f"u should be a floating-point tensor, not {u.dtype}.")
    if A.is_complex() or A.dim() != 2 or A.shape[0] != u.shape[1]:
        raise UsageError(
            f"A should be real, ({u.shape[1]}, states), not {A.dtype} {tuple(A.shape)}."
        )
    batch, channels, length = u.shape
    states = A.shape[1]
    _expect("delta", delta, u, (batch, channels, length))
    for name, coefficient in (("B", B), ("C", C)):
        _check_coefficient(name, coefficient, u, states)
    for name, vector in (("D", D), ("delta_bias", delta_bias)):
        if vector is not None:
            _expect(name, vector, u, (channels,))
    if z is not None:
        _expect("z", z, u, (batch, channels, length))


def _check_coefficient(name: str, tensor: Tensor, u: Tensor, states: int) -> None:
    batch, channels, length = u.shape
    if tensor.dim() == 2:
        _expect(name, tensor, u, (channels, states))
    elif tensor.dim() == 4:
        groups = tensor.shape[1]
        _expect(name, tensor, u, (batch, groups, states, length))
        if channels % groups:
            raise UsageError(
                f"{name} has {groups} groups, which should divide {channels} channels."
            )
    else:
        _expect(name, tensor, u, (batch, states, length))


def _expect(name: str, tensor: Tensor, u: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != shape:
        raise UsageError(f"{name} should have the shape {shape}, not {tuple(tensor.shape)}.")
    if tensor.device != u.device:
        raise UsageError(f"{name} should be on {u.device} as u is, not on {tensor.device}.")
