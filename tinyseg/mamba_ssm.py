"""What networks import from mamba-ssm, without CUDA: change the import, and they run and export.

    from mamba_ssm import Mamba              # before
    from tinyseg.mamba_ssm import Mamba      # after

`tinyseg.layers.Mamba` is the layer; this one only takes mamba-ssm's names and order of arguments,
so that no call has to change. Its module is called like the package that it stands in for, so that
one prefix is all there is to remember. `selective_scan_fn` comes along for networks that call the
scan itself.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from tinyseg.errors import UsageError
from tinyseg.layers import mamba
from tinyseg.scan import selective_scan as selective_scan_fn

__all__ = ["Mamba", "selective_scan_fn"]


class Mamba(mamba.Mamba):
    """mamba-ssm's ``Mamba`` (Gu and Dao 2023): arguments, parameters, shapes and values.

    A ``state_dict`` of either loads into the other.

    Args:
        d_model: features of a token.
        d_state: states a channel.
        d_conv: taps of the causal convolution.
        expand: inner channels over ``d_model``, a whole number.
        dt_rank: ``auto`` alone, which is ``d_model`` / 16, rounded up.
        dt_min: smallest step size of fresh weights, as the next four are of fresh weights alone.
        dt_max: largest step size.
        dt_init: ``random`` or ``constant``, of ``dt_proj``.
        dt_scale: of ``dt_proj``.
        dt_init_floor: no step size starts below it.
        conv_bias: True alone.
        bias: False alone.
        use_fast_path: of no meaning here.
        layer_idx: of no meaning here.
        device: where the weights are.
        dtype: type of the weights.

    Raises:
        UsageError: a size below 1, or a value of ``expand``, ``dt_rank``, ``conv_bias`` or ``bias``
            that is not offered here.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 16,
        d_conv: int = 4,
        expand: float = 2,
        dt_rank: int | Literal["auto"] = "auto",
        dt_min: float = 0.001,
        dt_max: float = 0.1,
        dt_init: Literal["random", "constant"] = "random",
        dt_scale: float = 1.0,
        dt_init_floor: float = 1e-4,
        conv_bias: bool = True,
        bias: bool = False,
        use_fast_path: bool = True,
        layer_idx: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if expand != int(expand):
            raise UsageError(f"expand should be a whole number, not {expand}.")
        super().__init__(d_model, d_state, d_conv, int(expand))
        if dt_rank not in ("auto", self.rank):
            raise UsageError(f"dt_rank should be 'auto', {self.rank} here, not {dt_rank}.")
        if bias or not conv_bias:
            raise UsageError(
                f"tinyseg's Mamba has conv_bias=True and bias=False, not {conv_bias} and {bias}."
            )
        self.d_model, self.d_state, self.d_conv, self.expand = d_model, d_state, d_conv, expand
        self.d_inner, self.dt_rank, self.layer_idx = self.inner, self.rank, layer_idx
        self._start_steps(dt_init, dt_scale)
        with torch.no_grad():
            self.dt_proj.bias.copy_(mamba.fresh_steps(self.inner, dt_min, dt_max, dt_init_floor))
        # Networks' own initialisation leaves what mamba-ssm marks so alone.
        setattr(self.dt_proj.bias, "_no_reinit", True)  # noqa: B010  (unknown to type checkers)
        self.to(device=device, dtype=dtype)

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]  (mamba-ssm's name)
        self, hidden_states: Tensor, inference_params: Any = None
    ) -> Tensor:
        """Maps (batch, length, d_model) to the same shape.

        Raises:
            UsageError: it is to go on from the state of an earlier call.
        """
        if inference_params is not None:
            raise UsageError("tinyseg's Mamba takes whole sequences, without inference_params.")
        return super().forward(hidden_states)

    def _start_steps(self, how: str, scale: float) -> None:
        bound = scale * self.rank**-0.5
        if how == "constant":
            nn.init.constant_(self.dt_proj.weight, bound)
        elif how == "random":
            nn.init.uniform_(self.dt_proj.weight, -bound, bound)
        else:
            raise UsageError(f"dt_init should be 'random' or 'constant', not '{how}'.")
