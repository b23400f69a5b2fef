"""A network of the user's own as a subject."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinyseg.data.preprocessing import Preprocessing
from tinyseg.errors import TinysegError, UsageError
from tinyseg.exporters.subject import Subject
from tinyseg.runs.records import Task

if TYPE_CHECKING:
    from torch import Tensor

_SIZE = 256


def resolve_own(
    path: str,
    *,
    size: int | None = None,
    classes: int | None = None,
    in_channels: int = 3,
    task: Task | None = None,
    arguments: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Subject:
    """A subject without a run, of the network that an import path's callable builds.

    The network is run once, on a picture of noughts, to see what its logits are like.

    Args:
        path: ``MODULE:NAME`` of what builds the network.
        size: side of its input, pixels; 256 by default.
        classes: channels of its logits, checked; by default those that it has.
        in_channels: channels of its pictures.
        task: what its logits are for, checked; by default as their shape says.
        arguments: what the callable is called with.
        seed: of whatever it draws at random, such as fresh weights.

    Raises:
        UsageError: no such module or name, arguments that it does not take, or another task or
            number of classes than the network has.
        TinysegError: it builds no network, the network does not take such a picture, or what it
            gives are no logits.
    """
    from tinyseg.networks import check_import_path, class_names, own_file_name

    check_import_path(path)
    middle = (0.5,) * in_channels
    draft = Subject(
        name=own_file_name(path),
        network_name=path,
        arguments=dict(arguments or {}),
        in_channels=in_channels,
        task="segmentation",
        classes=(),
        preprocessing=Preprocessing(size=size or _SIZE, mean=middle, std=middle),
        seed=seed,
    )
    logits = _logits(draft)
    found = _task_of(path, logits, draft.preprocessing.size)
    shape = tuple(logits.shape)
    if task not in (None, found):
        raise UsageError(f"{path} gives logits {shape}, those of {found}, not of --task {task}.")
    if classes not in (None, shape[1]):
        raise UsageError(f"{path} gives logits {shape}, of {shape[1]} classes, not {classes}.")
    return replace(draft, task=found, classes=class_names(found, shape[1]))


def _logits(subject: Subject) -> "Tensor":
    import torch

    from tinyseg.networks import explained_forward

    network, shape = subject.network(), subject.input_shape
    try:
        with explained_forward(subject.network_name, shape), torch.inference_mode():
            logits = network(torch.zeros(shape))
    except TinysegError as error:
        mend = "Try another --size or --in-channels; --verbose shows where."
        raise TinysegError(error.message, mend) from error
    if not isinstance(logits, torch.Tensor) or not logits.is_floating_point():
        kind = logits.dtype if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise TinysegError(
            f"{subject.network_name} gives {kind} where one tensor of logits is wanted.",
            "Let its forward return the logits alone, before any threshold or argmax.",
        )
    return logits


def _task_of(path: str, logits: "Tensor", size: int) -> Task:
    shape = tuple(logits.shape)
    if len(shape) == 4 and shape[0] == 1 and shape[2:] != (size, size):
        raise TinysegError(
            f"{path} gives logits of {shape[2]}x{shape[3]} for a picture of {size}x{size}.",
            "Resize them to the picture in its forward: torch.nn.functional.interpolate.",
        )
    if len(shape) not in (2, 4) or shape[0] != 1:
        raise TinysegError(
            f"{path} gives logits of the shape {shape}.",
            f"They should be (1, classes, {size}, {size}) to segment or (1, classes) to classify.",
        )
    return "segmentation" if len(shape) == 4 else "classification"
