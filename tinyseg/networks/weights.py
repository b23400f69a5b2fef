"""Weights of a run."""

from typing import TYPE_CHECKING

from tinyseg.errors import TinysegError
from tinyseg.networks.registry import build
from tinyseg.runs import Run
from tinyseg.runs.records import RunRecord

if TYPE_CHECKING:
    from torch import nn


def build_recorded(record: RunRecord) -> "nn.Module":
    """The network that a run's record describes, with fresh weights."""
    return build(
        record.network,
        in_channels=record.channels,
        classes=len(record.classes),
        **record.arguments,
    )


def load_network(run: Run) -> "nn.Module":
    """The network of a run with its best weights, ready for inference.

    Raises:
        TinysegError: the run has no weights yet, or they do not fit the network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    record = run.record
    network = build_recorded(record)
    try:
        network.load_state_dict(load_file(run.best_weights))
    except FileNotFoundError:
        raise TinysegError(
            f"The run {run.path} has no weights yet.",
            f"Go on with it: tinyseg train --resume {run.path}",
        ) from None
    except (SafetensorError, RuntimeError) as error:
        raise TinysegError(
            f"{run.best_weights} does not fit {record.network}: {str(error).splitlines()[0]}"
        ) from None
    return network.eval()
