"""From a picture to a grid of tokens, one a patch."""

from torch import Tensor, nn

from tinyseg.errors import UsageError


class PatchEmbedding(nn.Module):
    """Projects square patches that do not overlap (Dosovitskiy et al. 2020, arXiv:2010.11929).

    Args:
        in_channels: channels of a picture.
        width: features of a token.
        patch: side of a patch in pixels.

    Raises:
        UsageError: a side of a picture that patches do not fill.
    """

    def __init__(self, in_channels: int, width: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.proj = nn.Conv2d(in_channels, width, patch, stride=patch)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (batch, in_channels, height, width) to a grid of tokens, features last."""
        check_sides(x, self.patch)
        return self.proj(x).movedim(1, -1)


def check_size(size: int, patch: int) -> int:
    """How many patches fill a side of a square picture.

    Raises:
        UsageError: they do not fill it.
    """
    if patch < 1 or size < patch or size % patch:
        raise UsageError(f"size should be a multiple of patch, not {size} with patches of {patch}.")
    return size // patch


def check_sides(x: Tensor, patch: int) -> None:
    """Refuses pictures (batch, channels, height, width) that patches do not fill.

    Raises:
        UsageError: a side that is no multiple of the patch's.
    """
    height, width = map(int, x.shape[2:])
    if height % patch or width % patch:
        raise UsageError(
            f"The sides of a picture should be multiples of {patch}, not {height}x{width}.",
            "Choose a size that its patches fill.",
        )
