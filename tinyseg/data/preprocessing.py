"""From a picture as read to what a network gets: one class, saved in the run and every manifest."""

from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict

#: An array, or a tensor of PyTorch, which this file does not know.
_V = TypeVar("_V", bound=Any)

_TIE = 1e-4  # shares of an area that differ by less are equal

_Level = TypeVar("_Level", np.uint8, np.float32)


class Preprocessing(BaseModel):
    """Resize, scale to [0, 1], normalise.

    Attributes:
        size: side of the square network input, pixels.
        mean: a mean per channel, of values in [0, 1].
        std: a standard deviation per channel.
        resampling: how pictures are resized; ``bilinear`` averages over the covered area when
            shrinking. Masks are resized by area (`resize_mask`).
        channel_order: order of the channels in the file that was read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resampling: Literal["bilinear"] = "bilinear"
    channel_order: Literal["as-read"] = "as-read"

    def resize(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resizes a picture (height, width, channels) to (size, size, channels)."""
        return resize_image(image, (self.size, self.size))

    def resize_mask(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resizes labels (height, width) to (size, size)."""
        return resize_mask(mask, (self.size, self.size))

    def normalise(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pictures (batch, height, width, channels), already resized, as a network's input.

        Returns:
            float32 of shape (batch, channels, height, width).
        """
        scaled = np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32) / np.float32(255)
        return self.standardise(scaled)

    def standardise(self, values: _V) -> _V:
        """Subtracts the mean and divides by the standard deviation, channel by channel, in place.

        Args:
            values: in [0, 1], (batch, channels, height, width), an array or a PyTorch tensor.
        """
        for channel, (mean, std) in enumerate(zip(self.mean, self.std, strict=True)):
            values[:, channel] -= mean
            values[:, channel] /= std
        return values

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Pictures of any size as one batch (batch, channels, size, size)."""
        return self.normalise(np.stack([self.resize(image) for image in images]))


def resize_image(image: NDArray[np.uint8], height_width: tuple[int, int]) -> NDArray[np.uint8]:
    """Resizes (height, width, channels), channel by channel, any number of channels."""
    if image.shape[:2] == height_width:
        return image
    return np.stack(
        [
            _resize(image[:, :, channel], height_width, Image.Resampling.BILINEAR)
            for channel in range(image.shape[2])
        ],
        axis=2,
    )


def resize_mask(mask: NDArray[np.uint8], height_width: tuple[int, int]) -> NDArray[np.uint8]:
    """Resizes labels (height, width); a pixel gets the label of the largest share of its area.

    Where shares are equal, a class goes before the background, and the lower label before the
    higher; so a single class gets the pixels of which it had at least half.
    """
    if mask.shape == height_width:
        return mask
    classes = np.flatnonzero(np.bincount(mask.ravel(), minlength=2)[1:]) + 1
    if len(classes) < 2:  # in 8 bits, as masks have always been
        share = _resize((mask > 0) * np.uint8(255), height_width, Image.Resampling.BOX)
        return (share >= 128) * mask.max(initial=0)
    labels = np.zeros(height_width, np.uint8)
    largest = np.zeros(height_width, np.float32)
    for label in (*classes, 0):
        share = _resize((mask == label).astype(np.float32), height_width, Image.Resampling.BOX)
        wins = share > largest + _TIE
        labels[wins], largest[wins] = label, share[wins]
    return labels


def resize_probabilities(
    plane: NDArray[np.float32], height_width: tuple[int, int]
) -> NDArray[np.float32]:
    """Resizes probabilities (height, width), such as back to a picture's own size."""
    if plane.shape == height_width:
        return plane
    return _resize(plane, height_width, Image.Resampling.BILINEAR)


def _resize(
    plane: NDArray[_Level], height_width: tuple[int, int], how: Image.Resampling
) -> NDArray[_Level]:
    height, width = height_width
    return np.asarray(Image.fromarray(plane).resize((width, height), how))
