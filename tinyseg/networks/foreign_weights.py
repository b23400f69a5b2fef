"""Weights that other code saved: how they are read, and what their names become here."""

import pickle
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyseg.errors import TinysegError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

Weights = dict[str, "Tensor"]

#: Where a checkpoint of a whole training keeps its weights.
_WRAPPERS = ("model_state_dict", "state_dict", "model")
#: What torch's DataParallel puts before every name.
_PARALLEL = "module."
#: U-Mamba's blocks register each layer twice, and its decoder holds the encoder.
_REPEATED = re.compile(r"all_modules|^decoder\.encoder\.")
#: What Vision Mamba's way back has, which here lies in a `Mamba` of its own.
_WAY_BACK = re.compile(r"mixer\.(conv1d|x_proj|dt_proj|A|D)_b(?=[._]|$)")


def read_weights(path: Path) -> Weights:
    """Reads weights by name from a file of PyTorch or safetensors; runs no code from the file.

    Raises:
        UsageError: the file is called like neither.
        TinysegError: it is missing or damaged, or holds anything but weights.
    """
    if path.suffix not in _READERS:
        raise UsageError(f"{path} should be a file of weights, {', '.join(_READERS)}.")
    if not path.is_file():
        raise TinysegError(f"There is no file '{path}'.")
    try:
        found = _READERS[path.suffix](path)
    except Exception as error:  # both libraries raise whatever a damaged file brings about
        called = re.search(r"GLOBAL (\S+) w", str(error))
        if isinstance(error, pickle.UnpicklingError) and called:
            raise TinysegError(
                f"{path} holds more than weights: it calls {called[1]}, which was not run.",
                "Save the network's state_dict() alone.",
            ) from error
        raise TinysegError(f"{path} is damaged, or no file of weights.") from error
    weights = _unwrapped(found)
    if weights is None:
        raise TinysegError(
            f"{path} holds no weights by name, as a network's state_dict() gives them."
        )
    return weights


def with_own_names(weights: Weights, names: Collection[str]) -> tuple[Weights, list[str]]:
    """Weights called as a network has them.

    Args:
        weights: as they were saved.
        names: those of the network.

    Returns:
        The weights, and the names of those left out because they repeat others.
    """
    if all(name.startswith(_PARALLEL) for name in weights):
        weights = {name.removeprefix(_PARALLEL): tensor for name, tensor in weights.items()}
    weights = {_WAY_BACK.sub(r"mixer.back.\1", name): weight for name, weight in weights.items()}
    repeated = [name for name in weights if name not in names and _REPEATED.search(name)]
    return {name: weights[name] for name in weights if name not in repeated}, repeated


def misfits(weights: Weights, wanted: Weights) -> list[str]:
    """What keeps weights from being a network's, in words; nothing when they fit exactly."""
    shapes = [
        f"{name} is {_shape(weights[name])} where {_shape(wanted[name])} is wanted"
        for name in wanted
        if name in weights and weights[name].shape != wanted[name].shape
    ]
    missing = [f"{name} is missing" for name in wanted if name not in weights]
    left = [f"{name} is left over" for name in weights if name not in wanted]
    return [
        found[0] + (f", and {len(found) - 1} more like it" if len(found) > 1 else "")
        for found in (missing, left, shapes)
        if found
    ]


def _torch(path: Path) -> Any:
    import torch

    # UltraLight VM-UNet's latest.pth holds losses as NumPy's scalars.
    scalar = np.float64(0).__reduce__()[0]
    harmless: list[Any] = [
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
        np.dtype,
        np.dtypes.Float64DType,
    ]
    with torch.serialization.safe_globals(harmless):
        return torch.load(path, weights_only=True, map_location="cpu")


def _safetensors(path: Path) -> Any:
    from safetensors.torch import load_file

    return load_file(path)


_READERS: dict[str, Callable[[Path], Any]] = {
    ".pth": _torch,
    ".pt": _torch,
    ".safetensors": _safetensors,
}


def _unwrapped(found: Any) -> Weights | None:
    from torch import Tensor

    for key in _WRAPPERS:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not found:
        return None
    named = all(isinstance(k, str) and isinstance(v, Tensor) for k, v in found.items())
    return dict(found) if named else None


def _shape(tensor: "Tensor") -> str:
    return "x".join(str(side) for side in tensor.shape) or "a number"
