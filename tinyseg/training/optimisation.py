"""Optimiser and learning rate."""

import math
from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from tinyseg.runs.records import Protocol


def make_optimiser(parameters: Iterable[nn.Parameter], protocol: Protocol) -> Optimizer:
    """Adam (decay added to the gradient), AdamW (decoupled, Loshchilov and Hutter 2019) or SGD.

    SGD has Nesterov's momentum, unless its momentum is 0.
    """
    parameters = list(parameters)
    common: dict[str, Any] = {
        "lr": protocol.lr,
        "weight_decay": protocol.weight_decay,
        # One call for all parameters; on a GPU PyTorch chooses, and gradients may still be scaled.
        "fused": True if all(parameter.is_cpu for parameter in parameters) else None,
    }
    if protocol.optimizer == "sgd":
        momentum = protocol.momentum
        return SGD(parameters, momentum=momentum, nesterov=momentum > 0, **common)
    return {"adam": Adam, "adamw": AdamW}[protocol.optimizer](parameters, **common)


def make_schedule(optimiser: Optimizer, protocol: Protocol, steps: int) -> LRScheduler:
    """The learning rate of every step.

    Args:
        optimiser: whose learning rate is the highest there will be.
        protocol: linear warm-up over ``warmup_steps``, then constant or half a cosine down to 0; or
            one cycle (Smith and Topin 2018), which warms up by half a cosine too.
        steps: of the whole training.
    """
    warmup = protocol.warmup_steps or 0
    if protocol.schedule == "one-cycle":
        return OneCycleLR(
            optimiser,
            max_lr=protocol.lr,
            total_steps=max(2, steps),
            pct_start=min(max(1, warmup), steps - 1) / max(2, steps),
            cycle_momentum=False,
        )

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        if protocol.schedule == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

    return LambdaLR(optimiser, factor)
