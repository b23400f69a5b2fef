"""A network of one of everything that made an exporter stumble, small enough to convert at once."""

import torch
from torch import Tensor as Values
from torch import nn

from tinyseg.data import Preprocessing
from tinyseg.exporters import Conversion
from tinyseg.mamba_ssm import Mamba
from tinyseg.runs.records import Contents, ExportOptions, Tensor

SIDE = 32


class Small(nn.Module):
    """A convolution, a norm, a scan over 64 pixels, and a picture again."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 4, stride=4)
        self.norm = nn.GroupNorm(4, 8)
        self.mamba = Mamba(d_model=8, d_state=4)
        self.up = nn.ConvTranspose2d(8, 1, 4, stride=4)

    def forward(self, x: Values) -> Values:
        x = nn.functional.gelu(self.norm(self.down(x)))
        tokens = x.flatten(2).transpose(1, 2)
        x = x + self.mamba(tokens).transpose(1, 2).reshape(x.shape)
        return self.up(x)


def small() -> tuple[nn.Module, Values]:
    """The network, ready for inference, and an input."""
    torch.manual_seed(0)
    return Small().eval(), torch.randn(1, 3, SIDE, SIDE)


def conversion(side: int = SIDE, **options) -> Conversion:
    """What is asked for, beside contents that nobody reads but to compare."""
    image = Tensor(
        name="image", shape=[1, 3, side, side], dtype="float32", layout="NCHW", meaning=""
    )
    contents = Contents(
        tinyseg="0", network='"<small>&', arguments={}, run=None, input=image,
        output=image.model_copy(update={"name": "logits"}),
        preprocessing=Preprocessing(size=side, mean=(0,) * 3, std=(1,) * 3), classes=["ä"],
        threshold=0.5,
    )  # fmt: skip
    return Conversion(contents, ExportOptions(**options))
