"""Weights of other code that the encoder of a network starts a training from."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING

from tinyseg import plugins
from tinyseg.downloads import download
from tinyseg.errors import TinysegError, UsageError
from tinyseg.networks.foreign_weights import misfits, read_weights
from tinyseg.networks.registry import known
from tinyseg.progress import Progress, silent
from tinyseg.runs import whole_file
from tinyseg.runs.records import EncoderStart

if TYPE_CHECKING:
    from torch import nn

#: Stands for weights that were trained on ImageNet, which are downloaded.
IMAGENET = "imagenet"
#: Batch norm's, which older files do not have.
_OPTIONAL = "num_batches_tracked"


@dataclass(frozen=True)
class EncoderWeights:
    """What weights fit the ``encoder`` of a network.

    Attributes:
        imagenet: address of a file of them; the name ends with ``-`` and the first digits of its
            SHA-256.
        name_in_file: what the file calls a parameter or buffer of the encoder.
        left_out: how names begin that the encoder has nothing for, such as a classifier's.
    """

    imagenet: str
    name_in_file: Callable[[str], str]
    left_out: str


def start_encoder(
    network: "nn.Module", name: str, source: str, progress: Progress = silent
) -> EncoderStart:
    """Fills the encoder of a network; the rest keeps its fresh weights.

    The pictures' normalisation is another matter: it stays that of the run, whatever the weights
    were trained on.

    Args:
        network: built by its name.
        name: the network's name.
        source: a file (.pth, .pt or .safetensors; no code in it is run), or ``imagenet``, which is
            downloaded to where torch.hub keeps its own, or found there.
        progress: told when something is downloaded.

    Raises:
        UsageError: the network has no encoder that other weights fit.
        TinysegError: the file cannot be fetched or read, or does not fit.
    """
    takes = known(name).encoder_weights
    if takes is None:
        others = [other for other in plugins.names("networks") if known(other).encoder_weights]
        raise UsageError(
            f"{name} has no encoder that starts from other weights.",
            f"Networks that have one: {', '.join(others)}.",
        )
    encoder = network.get_submodule("encoder")
    file = _downloaded(takes.imagenet, progress) if source == IMAGENET else Path(source)
    own = encoder.state_dict()
    wanted = {takes.name_in_file(each): tensor for each, tensor in own.items()}
    weights = {each: tensor for each, tensor in wanted.items() if each.endswith(_OPTIONAL)}
    for each, tensor in read_weights(file).items():
        if not each.startswith(takes.left_out):
            weights[each] = tensor
    problems = misfits(weights, wanted)
    if problems:
        raise TinysegError(
            f"{file} does not fit the encoder of {name}: {'; '.join(problems)}.",
            "Choose weights of the same encoder, for pictures with as many channels.",
        )
    encoder.load_state_dict({each: weights[takes.name_in_file(each)] for each in own})
    with file.open("rb") as opened:
        sha256 = file_digest(opened, "sha256").hexdigest()
    return EncoderStart(source=takes.imagenet if source == IMAGENET else source, sha256=sha256)


def _downloaded(address: str, progress: Progress) -> Path:
    import torch

    file = Path(torch.hub.get_dir(), "checkpoints", Path(address).name)
    if not file.is_file():
        mend = "Bring the file and say --encoder-weights FILE."
        try:
            with whole_file(file) as temporary:
                digits = file.stem.rpartition("-")[2]
                download(address, temporary, digits, mend, progress)
        except OSError as error:
            raise TinysegError(f"{file} cannot be written ({error.strerror}).", mend) from error
    return file
