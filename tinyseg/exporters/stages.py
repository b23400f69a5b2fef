"""What a network's stages give, in the order in which they run."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn


class StageOutput(NamedTuple):
    """One stage's output.

    Attributes:
        name: its path in the network; ``#2`` follows where it is called a second time.
        module: name of its class.
        values: the first tensor of what it gave, float32.
    """

    name: str
    module: str
    values: NDArray[np.float32]


def stage_outputs(network: "nn.Module", inputs: NDArray[np.float32]) -> list[StageOutput]:
    """Runs a network and keeps what its top-level stages give.

    Lists of modules count as the modules in them; where there is one stage alone, its own stages
    are taken.

    Args:
        network: in evaluation mode.
        inputs: (1, channels, height, width).
    """
    from tinyseg.evaluation import network_predictor

    outputs: list[StageOutput] = []
    calls: dict[str, int] = {}

    def keep(name: str, module: "nn.Module", given: Any) -> None:
        calls[name] = calls.get(name, 0) + 1
        title = name if calls[name] == 1 else f"{name}#{calls[name]}"
        for tensor in _tensors(given):
            values = tensor.detach().float().cpu().contiguous().numpy().copy()
            outputs.append(StageOutput(title, type(module).__name__, values))
            return

    handles = [
        stage.register_forward_hook(
            lambda module, _, given, name=name: keep(name, module, given)  # pyright: ignore
        )
        for name, stage in _stages(network)
    ]
    try:
        network_predictor(network)(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return outputs


def _stages(network: "nn.Module", prefix: str = "") -> "list[tuple[str, nn.Module]]":
    from torch import nn

    children: list[tuple[str, nn.Module]] = []
    for name, child in network.named_children():
        if isinstance(child, nn.ModuleList | nn.ModuleDict):  # never called themselves
            inside = [(f"{name}.{key}", each) for key, each in child.named_children()]
            children += [(f"{prefix}{key}", each) for key, each in inside]
        else:
            children.append((f"{prefix}{name}", child))
    if len(children) == 1:
        name, only = children[0]
        return _stages(only, f"{name}.") or children
    return children


def _tensors(given: Any) -> Iterator[Any]:
    """Tensors of floating point in what a module gave, however it is wrapped."""
    import torch

    if isinstance(given, torch.Tensor):
        if given.is_floating_point():
            yield given
    elif isinstance(given, dict):
        yield from _tensors(list(given.values()))
    elif isinstance(given, list | tuple):
        for each in given:
            yield from _tensors(each)
