"""UltraLight VM-UNet (Wu et al. 2024, arXiv:2403.20035), as the paper's code has it.

Differences from the original, all on purpose: the result is logits, not probabilities; inputs have
any number of channels. Parameter names are the original's, so that its checkpoints load.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal, cast, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from tinyseg.errors import UsageError
from tinyseg.layers import (
    AttentionBridge,
    GroupNorm,
    Mamba,
    Mixer,
    ParallelVisionMamba,
    norm_max_pool,
)
from tinyseg.networks.registry import Network, PaperRow
from tinyseg.networks.segmentation import SegmentationNetwork
from tinyseg.scan import Discretisation

_MAMBA_STAGES = 3  # of the encoder and of the decoder each, whatever the depth
_GROUPS = 4

Initialisation = Literal["original", "mamba"]
Pyramid = Literal["none", "innermost", "all"]


class ULVMUNet(SegmentationNetwork):
    """A U-shaped network with convolutions outside and parallel vision Mamba layers inside.

    Every stage but the innermost halves the side. The three innermost stages of the encoder mix by
    Mamba, and so do the first three of the decoder.

    Args:
        in_channels: channels of a picture.
        classes: channels of the logits.
        channels: channels of each stage, finest first; at least five stages, multiples of four.
        branches: parts that a parallel vision Mamba layer divides its channels into.
        pyramid: which of the layers that mix pool over a pyramid first: ``none``, the
            ``innermost`` of the encoder, or ``all``.
        mixer: ``s6`` is Mamba's selective scan; ``s4`` is time-invariant, ``ssd`` has one decay a
            head, ``none`` has no scan.
        init: ``original`` gives the layers inside Mamba the same start as all others, so that step
            sizes start near 0.69; ``mamba`` leaves them Mamba's own, from 0.001 to 0.1.
        discretisation: ``zoh`` or ``euler``. Euler needs ``init="mamba"``: the original's step
            sizes times the fastest of the 16 states are 11, and beyond 2 states grow without bound.

    Raises:
        UsageError: an argument that does not fit.
    """

    def __init__(
        self,
        in_channels: int = 3,
        classes: int = 1,
        channels: Sequence[int] = (8, 16, 24, 32, 48, 64),
        branches: int = 4,
        pyramid: Pyramid = "none",
        mixer: Mixer = "s6",
        init: Initialisation = "original",
        discretisation: Discretisation = "zoh",
    ) -> None:
        super().__init__()
        stages = len(channels)
        if stages < _MAMBA_STAGES + 2 or any(width < 1 or width % _GROUPS for width in channels):
            raise UsageError(
                f"channels should be at least five multiples of {_GROUPS}, not {list(channels)}."
            )
        if init not in get_args(Initialisation):
            raise UsageError(f"init should be 'original' or 'mamba', not '{init}'.")
        if pyramid not in get_args(Pyramid):
            raise UsageError(f"pyramid should be 'none', 'innermost' or 'all', not '{pyramid}'.")
        self.stages, self.multiple = stages, 2 ** (stages - 1)
        pooled = {"none": (), "innermost": (stages,), "all": range(1, 2 * stages)}[pyramid]
        mixing = partial(
            ParallelVisionMamba, branches=branches, mixer=mixer, discretisation=discretisation
        )
        widths = [in_channels, *channels]
        for number in range(1, stages + 1):
            mix = partial(mixing, pyramid=number in pooled)
            stage = self._stage(number, widths[number - 1], widths[number], mix)
            self.add_module(f"encoder{number}", stage)
        for number in range(1, stages):
            self.add_module(f"ebn{number}", GroupNorm(_GROUPS, channels[number - 1]))
        self.scab = AttentionBridge(channels[:-1])
        inwards = list(reversed(channels))
        for number in range(1, stages):
            mix = partial(mixing, pyramid=stages + number in pooled)
            stage = self._stage(stages + 1 - number, inwards[number - 1], inwards[number], mix)
            self.add_module(f"decoder{number}", stage)
            self.add_module(f"dbn{number}", GroupNorm(_GROUPS, inwards[number]))
        self.final = nn.Conv2d(channels[0], classes, 1)
        for module in self.modules() if init == "original" else _outside_mamba(self):
            _initialise(module)

    def _stage(
        self, depth: int, width_in: int, width_out: int, mixing: Callable[[int, int], nn.Module]
    ) -> nn.Sequential:
        if depth > self.stages - _MAMBA_STAGES:
            return nn.Sequential(mixing(width_in, width_out))
        return nn.Sequential(nn.Conv2d(width_in, width_out, 3, padding=1))

    def _run(self, name: str, x: Tensor) -> Tensor:
        return self.get_submodule(name)(x)

    def logits(self, x: Tensor) -> Tensor:
        """See `SegmentationNetwork.logits`."""
        skips: list[Tensor] = []
        for number in range(1, self.stages):
            norm = cast(nn.GroupNorm, self.get_submodule(f"ebn{number}"))
            x = F.gelu(norm_max_pool(self._run(f"encoder{number}", x), norm))
            skips.append(x)
        bridged = self.scab(skips)
        # The innermost stage sees its input from before the bridge.
        x = F.gelu(self._run(f"encoder{self.stages}", x))
        for number in range(1, self.stages):
            x = self._run(f"dbn{number}", self._run(f"decoder{number}", x))
            if number > 1:
                x = _upsample(x)
            x = F.gelu(x) + bridged[-number]
        return _upsample(self.final(x))


def _upsample(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


def _outside_mamba(module: nn.Module) -> Iterator[nn.Module]:
    if not isinstance(module, Mamba):
        yield module
        for child in module.children():
            yield from _outside_mamba(child)


def _initialise(module: nn.Module) -> None:
    """The original's initialisation; inside Mamba it overwrites dt_proj's bias with 0."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv1d):
        fan_out = module.kernel_size[0] * module.out_channels
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
    elif isinstance(module, nn.Conv2d):
        fan_out = math.prod(module.kernel_size) * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        if module.bias is not None:
            nn.init.zeros_(module.bias)


_FIVE_STAGES = (16, 32, 64, 128, 256)
_SIX_STAGES = (*_FIVE_STAGES, 512)


def _variant(paper: PaperRow | None, **arguments: Any) -> Network:
    return Network(ULVMUNet, family="UL-VM-UNet", arguments=arguments, paper=paper)


UL_VM_UNET = _variant(
    PaperRow(
        parameters_m=0.049,
        dice=0.79955,
        remark="Dice 0.79955 is a misprint of 0.7955: the paper's record has 0.7955457.",
        remark_on="dice",
    )
)
V1 = _variant(
    PaperRow(
        parameters_m=0.20,
        dice=0.8409,
        remark="0.20 M is a misprint of 0.217 M.",
        remark_on="parameters_m",
    ),
    channels=_FIVE_STAGES,
)
V2 = _variant(
    PaperRow(
        parameters_m=0.042,
        dice=0.8243,
        remark="0.042 M is truncated: 42,737 round to 0.043 M.",
        remark_on="parameters_m",
    ),
    branches=8,
)
V3 = _variant(PaperRow(parameters_m=0.176, dice=0.8109), channels=_FIVE_STAGES, branches=8)
V4 = _variant(
    PaperRow(
        parameters_m=1.1,
        dice=0.8548,
        remark="Dice 0.8548 is truncated: the paper's record has 0.8548675.",
        remark_on="dice",
    ),
    channels=_SIX_STAGES,
    branches=8,
    pyramid="all",
)
V5 = _variant(PaperRow(parameters_m=0.7, dice=0.8633), channels=_SIX_STAGES, branches=8)
V6 = _variant(None, channels=_SIX_STAGES, branches=8, pyramid="innermost")
