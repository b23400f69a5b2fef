"""`selective_scan`: mamba-ssm's meaning, names and shapes."""

import torch
from torch import Tensor

from tinyseg.errors import UsageError
from tinyseg.scan.arguments import Arguments, Discretisation
from tinyseg.scan.checks import check_floating, check_like
from tinyseg.scan.sequence import scan_in_form


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
    groups = next((tensor.shape[1] for tensor in (B, C) if tensor.dim() == 4), 1)
    parts = [
        scan_in_form(
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
            ),
            backend,
        )
        for group in range(groups)
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
    check_floating("u", u)
    if u.dim() != 3:
        raise UsageError(f"u should be (batch, channels, length), not {tuple(u.shape)}.")
    channels = u.shape[1]
    if A.dim() != 2:
        raise UsageError(f"A should be ({channels}, states), not {tuple(A.shape)}.")
    states = A.shape[1]
    check_like("delta", delta, u.shape, "u", u)
    check_like("A", A, (channels, states), "u", u)
    for name, coefficient in (("B", B), ("C", C)):
        _check_coefficient(name, coefficient, u, states)
    if B.dim() == C.dim() == 4 and B.shape[1] != C.shape[1]:
        raise UsageError(f"C should have as many groups as B, {B.shape[1]}, not {C.shape[1]}.")
    for name, vector in (("D", D), ("delta_bias", delta_bias)):
        if vector is not None:
            check_like(name, vector, (channels,), "u", u)
    if z is not None:
        check_like("z", z, u.shape, "u", u)


def _check_coefficient(name: str, tensor: Tensor, u: Tensor, states: int) -> None:
    batch, channels, length = u.shape
    if tensor.dim() == 2:
        check_like(name, tensor, (channels, states), "u", u)
    elif tensor.dim() == 4:
        groups = tensor.shape[1]
        check_like(name, tensor, (batch, groups, states, length), "u", u)
        if not groups or channels % groups:
            raise UsageError(
                f"{name} should have groups that divide its {channels} channels, not {groups}."
            )
    else:
        check_like(name, tensor, (batch, states, length), "u", u)
