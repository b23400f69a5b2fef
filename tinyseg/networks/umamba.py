"""U-Mamba (Ma et al. 2024, arXiv:2401.04722): residual U-shaped networks with Mamba layers.

All have one block a stage. They keep the heads for deep supervision that the originals build and
never use for a picture's logits (451 parameters each by default), so that counts and parameter
names are the originals'.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn

from tinyseg.errors import UsageError
from tinyseg.layers import Mixer, PyramidPooling, make_mixer
from tinyseg.layers.residual_blocks import ProjectedBlock, ResNetDBlock, conv_norm
from tinyseg.networks.registry import Network, PaperRow
from tinyseg.networks.segmentation import SegmentationNetwork
from tinyseg.scan import Discretisation

_CHANNELS = (32, 64, 128, 256, 512)


class UMambaBot(SegmentationNetwork):
    """Mamba in the bottleneck, as the code of "Mamba vs SOTA for Vision Tasks" has it.

    That code takes U-Mamba's idea with the blocks of nnU-Net's library: ResNet-D blocks, norms
    without parameters, transposed convolutions. Nothing is added to what Mamba gives. Of 9,813,700
    parameters (10,076,356 with ``pyramid``) 451 are unused, and 2,976 are biases that a norm takes
    away again.

    Args:
        in_channels: channels of a picture.
        classes: channels of the logits.
        channels: channels of each stage, finest first, at least two; every stage but the first
            halves the side. With ``pyramid`` the last is a multiple of eight.
        pyramid: pool over a pyramid before Mamba, which leaves its averages alone of the map.
        mixer: which scan Mamba has; see `Mixer`.
        discretisation: ``zoh`` or ``euler``; see `Mamba`.

    Raises:
        UsageError: an argument that does not fit.
    """

    def __init__(
        self,
        in_channels: int = 3,
        classes: int = 1,
        channels: Sequence[int] = _CHANNELS,
        pyramid: bool = False,
        mixer: Mixer = "s6",
        discretisation: Discretisation = "zoh",
    ) -> None:
        super().__init__()
        _check_channels(in_channels, classes, channels)
        self.multiple, self.smallest = _sides(channels)
        self.encoder = _Encoder(
            stem=_named(
                convs=nn.Sequential(conv_norm(in_channels, channels[0], 3), nn.LeakyReLU())
            ),
            stages=(_named(blocks=nn.Sequential(b)) for b in _blocks(ResNetDBlock, channels)),
            mamba_layers=(nn.Identity() for _ in channels),
        )
        self.ppm = PyramidPooling(channels[-1]) if pyramid else None
        self.ln = nn.LayerNorm(channels[-1])
        self.mamba = make_mixer(mixer, channels[-1], discretisation=discretisation)
        steps = list(pairwise(reversed(channels)))
        self.decoder = _Decoder(
            upsampling="transpconvs",
            ups=(nn.ConvTranspose2d(wide, narrow, 2, stride=2) for wide, narrow in steps),
            stages=(
                _named(blocks=nn.Sequential(ResNetDBlock(2 * narrow, narrow)))
                for _, narrow in steps
            ),
            heads=(nn.Conv2d(narrow, classes, 1) for _, narrow in steps),
        )

    def logits(self, x: Tensor) -> Tensor:
        """See `SegmentationNetwork.logits`."""
        *skips, x = self.encoder(x)
        if self.ppm is not None:
            x = self.ppm(x)
        return self.decoder(_mixed(x, self.ln, self.mamba), skips)


class UMambaEnc(SegmentationNetwork):
    """Mamba after every second stage of the encoder, the last one included, as published.

    Pixels are tokens where there are more of them than channels; elsewhere the channels are, and
    the pixels their features. So the weights depend on the pictures' size. The decoder repeats
    pixels to upsample, and its last stage sees no skip. Of 8,168,356 parameters at the default size
    451 are unused, and 3,008 are biases that a norm takes away again.

    Differences from the published code, on purpose: one block in every stage, sides that are padded
    to the next multiple, no deep supervision.

    Args:
        in_channels: channels of a picture.
        classes: channels of the logits.
        channels: channels of each stage, finest first, at least two; every stage but the first
            halves the side.
        size: side of the pictures, which are square.
        mixer: which scan Mamba has; see `Mixer`.
        discretisation: ``zoh`` or ``euler``; see `Mamba`.

    Raises:
        UsageError: an argument that does not fit; pictures of another size.
    """

    def __init__(
        self,
        in_channels: int = 3,
        classes: int = 1,
        channels: Sequence[int] = _CHANNELS,
        size: int = 256,
        mixer: Mixer = "s6",
        discretisation: Discretisation = "zoh",
    ) -> None:
        super().__init__()
        _check_channels(in_channels, classes, channels)
        self.multiple, self.smallest = _sides(channels)
        if size < self.smallest:
            raise UsageError(f"size should be at least {self.smallest}, not {size}.")
        self.size = size
        side, stages = size + self._missing(size), len(channels)
        mixing = partial(make_mixer, mixer, discretisation=discretisation)
        self.encoder = _Encoder(
            stem=nn.Sequential(ProjectedBlock(in_channels, channels[0])),
            stages=map(nn.Sequential, _blocks(ProjectedBlock, channels)),
            mamba_layers=(
                _MambaLayer(width, side >> stage, mixing) if (stages - stage) % 2 else nn.Identity()
                for stage, width in enumerate(channels)
            ),
        )
        steps = list(pairwise(reversed(channels)))
        joined = [2 * narrow for _, narrow in steps[:-1]] + [channels[0]]
        self.decoder = _Decoder(
            upsampling="upsample_layers",
            ups=(
                _named(up=nn.Upsample(scale_factor=2), conv=nn.Conv2d(*step, 1)) for step in steps
            ),
            stages=(
                nn.Sequential(ProjectedBlock(width, narrow))
                for width, (_, narrow) in zip(joined, steps, strict=True)
            ),
            heads=(nn.Conv2d(narrow, classes, 1) for _, narrow in steps),
        )
        for module in self.modules():
            _initialise(module)

    def forward(self, x: Tensor) -> Tensor:
        """See `SegmentationNetwork.forward`; height and width are ``size``."""
        height, width = map(int, x.shape[2:])
        if (height, width) != (self.size, self.size):
            raise UsageError(
                f"Pictures should be {self.size}x{self.size}, as the network was built for, "
                f"not {height}x{width}.",
                f"Build it with --set size={max(height, width)}.",
            )
        return super().forward(x)

    def logits(self, x: Tensor) -> Tensor:
        """See `SegmentationNetwork.logits`."""
        _, *skips, x = self.encoder(x)
        return self.decoder(x, skips)


class _MambaLayer(nn.Module):
    def __init__(self, channels: int, side: int, mixing: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.swapped = side**2 <= channels
        width = side**2 if self.swapped else channels
        self.norm = nn.LayerNorm(width)
        self.mamba = mixing(width)

    def forward(self, x: Tensor) -> Tensor:
        return _mixed(x, self.norm, self.mamba, self.swapped)


class _Encoder(nn.Module):
    def __init__(
        self,
        stem: nn.Module,
        stages: Iterable[nn.Module],
        mamba_layers: Iterable[nn.Module],
    ) -> None:
        super().__init__()
        self.stem = stem
        self.stages = nn.ModuleList(stages)
        self.mamba_layers = nn.ModuleList(mamba_layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        """The map of every stage, finest first."""
        x, maps = self.stem(x), []
        for stage, layer in zip(self.stages, self.mamba_layers, strict=True):
            x = layer(stage(x))
            maps.append(x)
        return maps


class _Decoder(nn.Module):
    """Stages from deep to shallow.

    Args:
        upsampling: the original's name for ``ups``.
        ups: what doubles the side before each stage.
        stages: take what comes from below, joined to a skip.
        heads: one a stage, of which the last is used.
    """

    def __init__(
        self,
        upsampling: str,
        ups: Iterable[nn.Module],
        stages: Iterable[nn.Module],
        heads: Iterable[nn.Module],
    ) -> None:
        super().__init__()
        self.upsampling = upsampling
        self.add_module(upsampling, nn.ModuleList(ups))
        self.stages = nn.ModuleList(stages)
        self.seg_layers = nn.ModuleList(heads)

    def forward(self, x: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """Logits; without a skip left, a stage takes what comes from below alone."""
        left = list(skips)
        ups = cast(nn.ModuleList, self.get_submodule(self.upsampling))
        for up, stage in zip(ups, self.stages, strict=True):
            x = up(x)
            x = stage(torch.cat([x, left.pop()], 1) if left else x)
        return self.seg_layers[-1](x)


def _mixed(x: Tensor, norm: nn.Module, mamba: nn.Module, swapped: bool = False) -> Tensor:
    """Mamba over normed pixels in row-major order, or if swapped over channels; same shape."""
    height, width = x.shape[2:]
    tokens = x.flatten(2)
    y = mamba(norm(tokens if swapped else tokens.transpose(1, 2)))
    return (y if swapped else y.transpose(1, 2)).unflatten(2, (height, width))


def _named(**parts: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(parts))


def _blocks(
    block: Callable[[int, int, int], nn.Module], channels: Sequence[int]
) -> Iterator[nn.Module]:
    for number, (before, width) in enumerate(pairwise([channels[0], *channels])):
        yield block(before, width, 2 if number else 1)


def _check_channels(in_channels: int, classes: int, channels: Sequence[int]) -> None:
    if len(channels) < 2 or min(in_channels, classes, *channels) < 1:
        raise UsageError(
            "in_channels, classes and two or more channels should be at least 1, "
            f"not {in_channels}, {classes} and {list(channels)}."
        )


def _sides(channels: Sequence[int]) -> tuple[int, int]:
    """What sides are multiples of, and the smallest; instance norm needs more than one pixel."""
    multiple = 2 ** (len(channels) - 1)
    return multiple, 2 * multiple


def _initialise(module: nn.Module) -> None:
    """U-Mamba's start of convolutions; Mamba's own stays."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, a=0.01)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _variant(
    module: Callable[..., nn.Module],
    dead: int,
    paper: PaperRow | None = None,
    one_size: bool = False,
    **arguments: Any,
) -> Network:
    return Network(
        module,
        family="U-Mamba",
        arguments=arguments,
        paper=paper,
        unused=451,
        note="451 parameters are unused: heads of the three coarser stages, which the original has "
        f"for deep supervision. {dead:,} more are biases that the norm behind them takes away.",
        one_size=one_size,
    )


UMAMBA_BOT = _variant(UMambaBot, 2_976, PaperRow(parameters_m=9.8, dice=0.8799))
UMAMBA_BOT_PP = _variant(
    UMambaBot,
    2_976,
    PaperRow(
        parameters_m=10.0,
        dice=0.8867,
        remark="10.0 M is truncated: 10,076,356 round to 10.1 M.",
        remark_on="parameters_m",
    ),
    pyramid=True,
)
UMAMBA_ENC = _variant(UMambaEnc, 3_008, one_size=True)
