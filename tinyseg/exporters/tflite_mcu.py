"""Networks for microcontrollers: written with operators that TensorFlow Lite for them has.

It has neither GELU nor softplus, nor what a converter makes of them (erf, SELECT), so both are
computed by others while a network is exported; the network itself stays as it is.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from tinyseg.runs.records import Precision

# GELU is x * Phi(x). The logit of Phi is x times a polynomial in x^2, fitted so that the largest
# error of GELU, anywhere, is least: 2e-7, where the usual tanh has 5e-4.
_FINE = (
    1.59577907,
    7.26404598e-2,
    -4.45029493e-5,
    -1.17328203e-4,
    8.91178364e-6,
    -3.28405217e-7,
    4.99831533e-9,
)
_FINE_UNTIL = 25  # of x^2; beyond, the polynomial stays what it is there, and Phi is 0 or 1
# Of two terms 3e-4: int8 has no digits for more, and every operator costs memory.
_COARSE = (1.60031404, 6.940184e-2)
_TANH = (1.59576912, 7.13548163e-2)  # what networks mean that ask for the tanh themselves


class MicrocontrollerOperators(TorchFunctionMode):
    """Inside the block, whatever this thread runs or traces is computed by those operators.

    Args:
        precision: that the file will have; it says how exact GELU has to be.
    """

    def __init__(self, precision: Precision) -> None:
        super().__init__()
        gelu = partial(_gelu, coefficients=_COARSE if precision == "int8-full" else _FINE)
        self._instead: dict[Any, Callable[..., Tensor]] = {F.gelu: gelu, F.softplus: _softplus}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Calls what stands in for a function, if anything does."""
        return self._instead.get(func, func)(*args, **kwargs or {})


def _gelu(input: Tensor, approximate: str = "none", *, coefficients: Sequence[float]) -> Tensor:
    last, *lower = reversed(_TANH if approximate == "tanh" else coefficients)
    square = input * input
    if len(lower) > 1:
        square = square.clamp(max=_FINE_UNTIL)
    polynomial: Tensor | float = last
    for coefficient in lower:
        polynomial = square * polynomial + coefficient
    return input * torch.sigmoid(input * polynomial)


def _softplus(input: Tensor, beta: float = 1, threshold: float = 20) -> Tensor:
    """Takes no exponential of a positive number, so it needs no threshold."""
    x = input if beta == 1 else input * beta
    y = torch.relu(x) + torch.log(1 + torch.exp(-x.abs()))
    return y if beta == 1 else y / beta
