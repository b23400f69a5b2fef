"""The Mamba block: what networks that stack Mamba layers repeat."""

from torch import Tensor, nn

from tinyseg.layers.mamba import Convolution
from tinyseg.layers.mixers import Mixer, make_mixer
from tinyseg.scan import Discretisation


class MambaBlock(nn.Module):
    """A Mamba layer on normalised tokens, added to them ("Mamba vs SOTA for Vision Tasks", Alg. 2).

    The tokens are divided by their root mean square. One branch is projected, convolved and
    scanned, the other projected and put through SiLU; their product is projected back and the
    block's input added. Parameter names are those of mamba-ssm's ``Block``: ``norm``, ``mixer``.

    Args:
        width: features of a token.
        states: states a channel.
        kernel: taps of the convolution.
        expand: inner channels over width.
        discretisation: ``zoh`` or ``euler``; see `Mamba`.
        mixer: which scan the layer has; see `Mixer`.
        eps: added to the mean square.
        convolution: ``causal`` or ``grid``; see `Mamba`.
        bidirectional: scan forwards and backwards; see `Mamba`.

    Raises:
        UsageError: as `make_mixer`.
    """

    def __init__(
        self,
        width: int,
        states: int = 16,
        kernel: int = 4,
        expand: int = 2,
        discretisation: Discretisation = "zoh",
        mixer: Mixer = "s6",
        eps: float = 1e-5,
        convolution: Convolution = "causal",
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width, eps=eps)
        self.mixer = make_mixer(
            mixer, width, states, kernel, expand, discretisation, convolution, bidirectional
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Maps (batch, length, width), or (batch, height, row, width), to the same shape."""
        return tokens + self.mixer(self.norm(tokens))
