"""Batches hold every picture once an epoch, in an order of seed and epoch alone."""

import numpy as np
import torch

from tinyseg.data.cache import Pictures
from tinyseg.training.batches import training_batches, validation_batches

COUNT = 11
IMAGES = np.random.default_rng(0).integers(0, 255, (COUNT, 4, 4, 3), np.uint8)
IMAGES[:, 0, 0, 0] = range(COUNT)
PICTURES = Pictures(
    IMAGES, IMAGES[..., 0] % 2, [str(n) for n in range(COUNT)], ["a"] * COUNT, np.ones(COUNT, bool)
)


def order(loader, epoch: int = 0) -> list[list[int]]:
    if epoch:
        loader.sampler.set_epoch(epoch)
    return [images[:, 0, 0, 0].tolist() for images, _ in loader]


def test_every_picture_comes_once_with_its_mask():
    batches = list(training_batches(PICTURES, 4, seed=0))
    assert [len(images) for images, _ in batches] == [4, 4, 3]
    images, masks = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert sorted(images[:, 0, 0, 0].tolist()) == list(range(COUNT))
    assert torch.equal(masks, images[..., 0] % 2)


def test_the_order_depends_on_seed_and_epoch_alone():
    first, again, other = (training_batches(PICTURES, 4, seed=seed) for seed in (0, 0, 1))
    assert order(first, 3) == order(again, 3)
    assert order(first, 3) != order(first, 4)
    assert order(first, 3) != order(other, 3)


def test_validation_keeps_the_order():
    batches = order(validation_batches(PICTURES, 4))
    assert [number for batch in batches for number in batch] == list(range(COUNT))


def test_loading_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    list(training_batches(PICTURES, 4, seed=0))
    assert torch.rand(1) == expected
