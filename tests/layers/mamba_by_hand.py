"""Mamba and the Mamba block as their papers write them, from weights alone, a number at a time."""

from collections.abc import Mapping

import numpy as np

Weights = Mapping[str, np.ndarray]


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def mamba(weights: Weights, tokens: np.ndarray, euler: bool = False) -> np.ndarray:
    """One sequence (length, width) through mamba-ssm's layer, whose parameter names it takes."""
    inner, states = weights["A_log"].shape
    rank = weights["dt_proj.weight"].shape[1]
    taps = weights["conv1d.weight"].shape[2]
    A = -np.exp(weights["A_log"])
    h = np.zeros((inner, states))
    window = np.zeros((inner, taps))  # what the causal convolution sees now, oldest first
    out = np.empty_like(tokens)
    for t, token in enumerate(tokens):
        projected = weights["in_proj.weight"] @ token
        x, z = projected[:inner], projected[inner:]
        window = np.concatenate([window[:, 1:], x[:, None]], 1)
        x = silu((window * weights["conv1d.weight"][:, 0]).sum(1) + weights["conv1d.bias"])
        selected = weights["x_proj.weight"] @ x
        dt, B, C = selected[:rank], selected[rank : rank + states], selected[rank + states :]
        delta = np.log1p(np.exp(weights["dt_proj.weight"] @ dt + weights["dt_proj.bias"]))
        for d in range(inner):
            product = delta[d] * A[d]
            h[d] = (1 + product if euler else np.exp(product)) * h[d] + delta[d] * x[d] * B
        y = h @ C + weights["D"] * x
        out[t] = weights["out_proj.weight"] @ (y * silu(z))
    return out


def block(weights: Weights, tokens: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """One sequence through the Mamba block: normalise, mix, add."""
    size = np.sqrt((tokens**2).mean(1, keepdims=True) + eps)
    inside = {
        name.removeprefix("mixer."): value
        for name, value in weights.items()
        if name.startswith("mixer.")
    }
    return tokens + mamba(inside, weights["norm.weight"] * tokens / size)
