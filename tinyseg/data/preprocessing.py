"""From a picture as read to what a network gets: one class, saved in the run and every manifest."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict


class Preprocessing(BaseModel):
    """Resize, scale to [0, 1], normalise.

    Attributes:
        size: side of the square network input, pixels.
        mean: a mean per channel, of values in [0, 1].
        std: a standard deviation per channel.
        resampling: how pictures are resized; ``bilinear`` averages over the covered area when
            shrinking. Masks are resized by area, a pixel belonging to a class when half of it does.
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
        """Resizes a mask of 0 and 1 (height, width) to (size, size)."""
        return resize_mask(mask, (self.size, self.size))

    def normalise(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pictures (batch, height, width, channels), already resized, as a network's input.

        Returns:
            float32 of shape (batch, channels, height, width).
        """
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        scaled = (images.astype(np.float32) / np.float32(255) - mean) / std
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))

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
    """Resizes a mask of 0 and 1; a pixel is 1 where at least half of its area was."""
    if mask.shape == height_width:
        return mask
    share = _resize((mask * 255).astype(np.uint8), height_width, Image.Resampling.BOX)
    return (share >= 128).astype(np.uint8)


def _resize(
    plane: NDArray[np.uint8], height_width: tuple[int, int], how: Image.Resampling
) -> NDArray[np.uint8]:
    height, width = height_width
    return np.asarray(Image.fromarray(plane).resize((width, height), how))
