"""Vision Mamba (Zhu et al. 2024, arXiv:2401.09417) for small pictures, with 2-D convolutions.

By default it is what the text of "Mamba vs SOTA for Vision Tasks" describes and its code lacks:
depthwise 3x3 convolutions in place of the causal ones, and the mean over all tokens in place of a
class token. The text leaves the number of directions open; both are scanned, as in the code's
Vision Mamba, whose stochastic depth is left out. Parameter names are Vision Mamba's, but for the
way back's (see `Mamba`), which `tinyseg import` renames.
"""

import math

import torch
from torch import Tensor, nn

from tinyseg.errors import UsageError
from tinyseg.layers import MambaBlock, Mixer, PatchEmbedding
from tinyseg.layers.mamba import Convolution
from tinyseg.layers.patch_embedding import check_size
from tinyseg.layers.positions import add_positions, with_class_token
from tinyseg.networks.registry import Network
from tinyseg.scan import Discretisation

_KERNELS = {"causal": 4, "grid": 3}


class Vim(nn.Module):
    """A stack of Mamba blocks over the patches of a picture, row by row.

    Args:
        in_channels: channels of a picture.
        classes: how many classes there are.
        size: side of the pictures that positions are learnt for; others get them stretched.
        patch: side of a patch.
        width: features of a token.
        depth: blocks.
        convolution: ``grid`` for depthwise 3x3 convolutions, ``causal`` for those of Mamba.
        bidirectional: scan forwards and backwards.
        class_token: read the classes from a token of their own in the middle of the sequence, as
            the original does, and not from the mean of all.
        mixer: which scan the layers have; see `Mixer`.
        discretisation: ``zoh`` or ``euler``; see `Mamba`.

    Raises:
        UsageError: sizes, a convolution, a mixer or a discretisation that do not exist or fit
            together; a class token on a grid; sides of a picture that patches do not fill.
    """

    def __init__(
        self,
        in_channels: int = 3,
        classes: int = 100,
        size: int = 32,
        patch: int = 4,
        width: int = 168,
        depth: int = 8,
        convolution: Convolution = "grid",
        bidirectional: bool = True,
        class_token: bool = False,
        mixer: Mixer = "s6",
        discretisation: Discretisation = "zoh",
    ) -> None:
        super().__init__()
        if convolution not in _KERNELS:
            raise UsageError(f"convolution should be 'causal' or 'grid', not '{convolution}'.")
        if class_token and convolution == "grid":
            raise UsageError(
                "convolution should be 'causal' with a class token, which has no place on a grid."
            )
        if width < 1 or depth < 1:
            raise UsageError(f"width and depth should be at least 1, not {width} and {depth}.")
        places = check_size(size, patch) ** 2 + class_token
        self.patch_embed = PatchEmbedding(in_channels, width, patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width)) if class_token else None
        self.pos_embed = nn.Parameter(torch.zeros(1, places, width))
        self.sequence = convolution == "causal"
        self.layers = nn.Sequential(
            *(
                MambaBlock(
                    width,
                    kernel=_KERNELS[convolution],
                    discretisation=discretisation,
                    mixer=mixer,
                    convolution=convolution,
                    bidirectional=bidirectional,
                )
                for _ in range(depth)
            )
        )
        self.norm_f = nn.RMSNorm(width, eps=1e-5)
        self.head = nn.Linear(width, classes)
        self._initialise(depth)

    def _initialise(self, depth: int) -> None:
        """The original's start: the more blocks, the less each adds."""
        for parameter in (self.cls_token, self.pos_embed, self.head.weight):
            if parameter is not None:
                nn.init.trunc_normal_(parameter, std=0.02)
        nn.init.zeros_(self.head.bias)
        with torch.no_grad():
            for name, parameter in self.layers.named_parameters():
                if name.endswith("out_proj.weight"):
                    parameter.div_(math.sqrt(depth))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (batch, in_channels, height, width) to logits (batch, classes)."""
        tokens = self.patch_embed(x)
        if self.cls_token is not None:
            tokens, index = with_class_token(tokens, self.cls_token, self.pos_embed, middle=True)
            return self.head(self.norm_f(self.layers(tokens))[:, index])
        tokens = add_positions(tokens, self.pos_embed)
        if self.sequence:
            tokens = tokens.flatten(1, 2)
        tokens = self.norm_f(self.layers(tokens))
        return self.head(tokens.flatten(1, -2).mean(1))


VIM = Network(
    Vim,
    family="Vision Mamba",
    task="classification",
    size=32,
    classes=100,
    note="1,832,980 parameters for 100 classes here, 1,806,436 in the code of the paper: that has "
    "causal convolutions and a class token, as --set convolution=causal and --set class_token=true "
    "give them.",
)
