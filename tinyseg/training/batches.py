"""Batches from pictures in memory."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from tinyseg.data.cache import Pictures

#: uint8 pictures (batch, height, width, channels) and labels (batch, height, width) or (batch,).
Batch = tuple[Tensor, Tensor]


class Shuffled(Sampler[int]):
    """A new order every epoch, that depends on seed and epoch alone.

    A training that is taken up again at some epoch sees the order that it would have seen.

    Args:
        length: number of pictures.
        seed: of the orders.
    """

    def __init__(self, length: int, seed: int) -> None:
        self.length, self.seed, self.epoch = length, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the order of an epoch; Lightning's trainer calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        return iter(
            np.random.default_rng((self.seed, self.epoch)).permutation(self.length).tolist()
        )


class _InMemory(Dataset[Batch]):
    def __init__(self, pictures: Pictures) -> None:
        self.images = torch.from_numpy(pictures.images)
        self.labels = torch.from_numpy(pictures.labels)

    def __len__(self) -> int:
        return len(self.images)

    def __getitems__(self, rows: Sequence[int]) -> Batch:
        """A whole batch by one indexing each; PyTorch's loader calls it."""
        return self.images[rows], self.labels[rows]


def training_batches(pictures: Pictures, batch_size: int, seed: int) -> DataLoader[Batch]:
    """Shuffled batches; a last one that is smaller is among them."""
    return _loader(pictures, batch_size, Shuffled(len(pictures), seed))


def validation_batches(pictures: Pictures, batch_size: int) -> DataLoader[Batch]:
    """Batches in the order of the pictures."""
    return _loader(pictures, batch_size, None)


def _loader(pictures: Pictures, batch_size: int, sampler: Sampler[int] | None) -> DataLoader[Batch]:
    return DataLoader(
        _InMemory(pictures),
        batch_size=batch_size,
        sampler=sampler,
        collate_fn=_as_it_is,  # pyright: ignore[reportArgumentType]
        # The loader draws a number an epoch; not from the generator that augmentation uses.
        generator=torch.Generator(),
    )


def _as_it_is(batch: Batch) -> Batch:
    return batch
