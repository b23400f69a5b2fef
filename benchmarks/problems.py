"""What is scanned: shapes, and inputs as a Mamba layer makes them."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.timing import Action

STATES = 16
FORWARD, BOTH = "forward", "forward+backward"
PHASES = (BOTH, FORWARD)

Scan = Callable[..., Tensor]


class Shape(NamedTuple):
    """Sizes of one scan; there are `STATES` states."""

    batch: int
    channels: int
    length: int

    @property
    def state_bytes(self) -> int:
        """Of all states of all steps in float32."""
        return 4 * self.batch * self.length * self.channels * STATES


#: A middling layer; UL-VM-UNet's largest at batch 8, its branches in the batch, and one of its
#: smallest; U-Mamba's bottleneck; a long sequence alone.
SHAPES = {
    "S1": Shape(8, 32, 1024),
    "S2": Shape(32, 12, 1024),
    "S3": Shape(32, 32, 64),
    "S4": Shape(2, 1024, 256),
    "S5": Shape(1, 16, 16384),
}
#: The same at growing lengths.
SERIES = [Shape(2, 32, 4**power) for power in range(3, 8)]


class Problem(NamedTuple):
    """Inputs of one scan, which want gradients, and the gradient of its output."""

    inputs: tuple[Tensor, ...]  # x, delta, A, B, C, D, shaped as `tinyseg.scan.Arguments` says
    grad_y: Tensor

    def action(self, scan: Scan, phase: str) -> Action:
        """One call in one phase; gradients are fresh tensors each time."""
        return (lambda: self.forward(scan)) if phase == FORWARD else (lambda: self.both(scan))

    def forward(self, scan: Scan) -> Tensor:
        """y, without anything kept for a backward."""
        with torch.no_grad():
            return scan(*self.inputs)

    def both(self, scan: Scan) -> tuple[Tensor, ...]:
        """y and the gradients of all inputs."""
        y = scan(*self.inputs)
        return y, *torch.autograd.grad(y, self.inputs, self.grad_y)


def draw(shape: Shape, device: str = "cpu") -> Problem:
    """Inputs of float32; step sizes around 0.15, decays of the states from 1 to 16 times that.

    B and C are slices of one tensor. Every state is fed at every step, so none dies out.
    """
    generator = torch.Generator().manual_seed(0)

    def normal(*sizes: int) -> Tensor:
        return torch.randn(*sizes, generator=generator).to(device)

    batch, channels, length = shape
    A = -torch.arange(1.0, STATES + 1, device=device).repeat(channels, 1)
    B, C = normal(batch, length, 2 * STATES).chunk(2, -1)
    delta = F.softplus(normal(batch, length, channels) - 2)
    x, D = normal(batch, length, channels), normal(channels)
    inputs = tuple(tensor.requires_grad_() for tensor in (x, delta, A, B.detach(), C.detach(), D))
    return Problem(inputs, normal(batch, length, channels))
