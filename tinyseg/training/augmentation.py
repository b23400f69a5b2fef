"""Random changes of pictures, and of their masks alike, by kornia."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from torch import Tensor

from tinyseg.runs.records import Task

if TYPE_CHECKING:
    from kornia.augmentation import AugmentationSequential

_SMALL_ROTATION = 15.0  # degrees
_GAIN = (0.8, 1.25)
_SHIFT = (0.95, 1.05)
_GAMMA = (0.8, 1.25)

Augmentation = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def make_augmentation(names: Sequence[str], task: Task, size: int) -> Augmentation:
    """A function that changes pictures at random and their masks alike.

    Chances are drawn from PyTorch's global generator, picture by picture.

    Args:
        names: of ``crop`` (moved by up to an eighth of a side, black outside), ``flip`` (either
            axis, half of the pictures each), ``mirror`` (left and right, half of the pictures),
            ``rot90`` (0 to 3 quarter turns), ``rotate`` (half of the pictures, by up to 15 degrees,
            black outside) and ``intensity`` (half of the pictures each: gain 0.8 to 1.25, shift by
            up to 0.05, gamma 0.8 to 1.25; pictures alone).
        task: whether there are masks; labels of whole pictures stay.
        size: side of the pictures, pixels.

    Returns:
        Maps pictures (batch, channels, height, width) in [0, 1] and labels, masks (batch, 1,
        height, width) or (batch,), to the same shapes and ranges.
    """
    if not names:
        return lambda images, labels: (images, labels)
    masks = task == "segmentation"
    sequence = _sequence(names, size, ("input", "mask") if masks else ("input",))

    def augment(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if masks:
            return cast(tuple[Tensor, Tensor], tuple(sequence(images, labels)))
        return cast(Tensor, sequence(images)), labels

    return augment


def _sequence(names: Sequence[str], size: int, keys: Sequence[str]) -> "AugmentationSequential":
    from kornia import augmentation as K

    parts: dict[str, list[Any]] = {
        "crop": [K.RandomCrop((size, size), padding=max(1, size // 8))],
        "flip": [K.RandomHorizontalFlip(p=0.5), K.RandomVerticalFlip(p=0.5)],
        "mirror": [K.RandomHorizontalFlip(p=0.5)],
        "rot90": [K.RandomRotation90((0, 3), p=1.0)],
        "rotate": [K.RandomRotation(_SMALL_ROTATION, p=0.5)],
        "intensity": [
            K.RandomContrast(_GAIN, p=0.5),
            K.RandomBrightness(_SHIFT, p=0.5),
            K.RandomGamma(_GAMMA, p=0.5),
        ],
    }
    chosen = [part for name in parts if name in names for part in parts[name]]
    return K.AugmentationSequential(*chosen, data_keys=keys)
