"""Starting weights of an encoder, kept in the run until the training needs them no longer."""

from safetensors.torch import load_file, save_file
from torch import nn

from tinyseg.errors import TinysegError
from tinyseg.runs import Run, whole_file


def keep_start(run: Run, network: nn.Module) -> None:
    """Keeps what the encoder starts from, so that a resumed training reads no other file."""
    weights = network.get_submodule("encoder").state_dict()
    with whole_file(run.encoder_start) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in weights.items()}, temporary)


def take_start(run: Run, network: nn.Module) -> None:
    """Takes it up again.

    Raises:
        TinysegError: it is not there.
    """
    try:
        weights = load_file(run.encoder_start)
    except FileNotFoundError:
        raise TinysegError(
            f"{run.encoder_start} is missing, from which the training of {run.path} began.",
            "Train anew.",
        ) from None
    network.get_submodule("encoder").load_state_dict(weights)
