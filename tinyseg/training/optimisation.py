"""Optimiser and learning rate."""

import math
from collections.abc import Iterable

from torch import nn
from torch.optim import Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from tinyseg.runs.records import Protocol


def make_optimiser(parameters: Iterable[nn.Parameter], protocol: Protocol) -> Optimizer:
    """Adam (decay added to the gradient) or AdamW (decoupled, Loshchilov and Hutter 2019)."""
    kind, parameters = {"adam": Adam, "adamw": AdamW}[protocol.optimizer], list(parameters)
    # One call for all parameters; on a GPU PyTorch chooses, and gradients may still be scaled.
    fused = True if all(parameter.is_cpu for parameter in parameters) else None
    return kind(parameters, lr=protocol.lr, weight_decay=protocol.weight_decay, fused=fused)


def make_schedule(optimiser: Optimizer, protocol: Protocol, steps: int) -> LambdaLR:
    """The learning rate of every step.

    Args:
        optimiser: whose learning rate is the highest there will be.
        protocol: linear warm-up over ``warmup_steps``, then constant or half a cosine down to 0.
        steps: of the whole training.
    """
    warmup = protocol.warmup_steps or 0

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        if protocol.schedule == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

    return LambdaLR(optimiser, factor)
