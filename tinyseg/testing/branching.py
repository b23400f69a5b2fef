"""A network that no converter should follow: it decides by the numbers it sees."""

from torch import Tensor, nn


class Branching(nn.Conv2d):
    """One layer, whose input is turned around where it is dark."""

    def __init__(self) -> None:
        super().__init__(3, 1, 1)

    def forward(self, input: Tensor) -> Tensor:
        """Maps (batch, 3, height, width) to logits (batch, 1, height, width)."""
        return super().forward(input if input.mean().item() > 0 else -input)
