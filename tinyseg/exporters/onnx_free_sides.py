"""Files of which batch, height and width are free."""

from typing import TYPE_CHECKING, Any

from tinyseg.errors import TinysegError
from tinyseg.exporters.base import Session
from tinyseg.exporters.parity import LOGIT_TOLERANCE, share_of_range
from tinyseg.networks import known
from tinyseg.networks.own import is_own
from tinyseg.runs.records import Contents

if TYPE_CHECKING:
    from onnx import GraphProto
    from torch import Tensor, nn

_AXES = {0: "batch", 2: "height", 3: "width"}
_MEND = "Leave out --dynamic."


def require_any_size(contents: Contents) -> None:
    """Raises a `TinysegError` for a network that is known to take pictures of one size alone."""
    name = contents.network
    if not is_own(name) and known(name).one_size:
        raise TinysegError(f"{name} takes pictures of one size alone, so none is free.", _MEND)


def free_shapes() -> tuple[dict[int, Any]]:
    """For ``torch.onnx.export``: the network's one input is free in batch, height and width."""
    from torch.export import Dim

    return (dict.fromkeys(_AXES, Dim.DYNAMIC),)


def free_example(example: "Tensor") -> "Tensor":
    """Two larger pictures: PyTorch takes a batch of one, and a layer its own size, for fixed."""
    return example.repeat(2, 1, 2, 3)


def refusal(contents: Contents, error: BaseException) -> TinysegError:
    """What a user is told whose network asks what the size is as it is exported."""
    while error.__cause__ is not None:
        error = error.__cause__
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return TinysegError(
        f"Height and width of {contents.network} cannot be left free, because a layer asks for "
        f"them as it is exported: {first}",
        _MEND,
    )


def require_free(
    module: "nn.Module", example: "Tensor", session: Session, contents: Contents
) -> None:
    """Runs a file and its network on several pictures of another size: PyTorch frees what it can.

    Raises:
        TinysegError: a layer has written a size down, so that the file fails or differs there.
    """
    import torch

    images = example.repeat(3, 1, 2, 1)
    with torch.no_grad():
        expected = module(images).numpy()
    try:
        found = session(images.numpy())
        agrees = share_of_range(expected, found) <= LOGIT_TOLERANCE
    except Exception:  # whatever the runtime calls it
        agrees = False
    if not agrees:
        sides = "x".join(map(str, images.shape[2:]))
        raise TinysegError(
            f"Height and width of {contents.network} cannot be left free: a layer writes its size "
            f"down, and the file fails on {sides}.",
            _MEND,
        )


def name_free_sides(graph: "GraphProto") -> None:
    """Gives the free axes of input and output their names, in the place of PyTorch's symbols.

    Raises:
        TinysegError: an axis is not free after all.
    """
    (picture,), (logits,) = graph.input, graph.output
    for axis, name in _AXES.items():
        side = picture.type.tensor_type.shape.dim[axis]
        if not side.HasField("dim_param"):
            raise TinysegError(
                f"The {name} is not free: PyTorch fixed it to {side.dim_value}.", _MEND
            )
        side.dim_param = name
    for axis, side in enumerate(logits.type.tensor_type.shape.dim):
        if side.HasField("dim_param"):
            side.dim_param = _AXES[axis]
    graph.ClearField("value_info")  # whose shapes are named after the symbols
