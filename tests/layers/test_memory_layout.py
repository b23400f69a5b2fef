"""Pictures reach a network in the layout that it runs fastest in, and keep it."""

import numpy as np
import torch

from tinyseg.data.cache import Pictures
from tinyseg.data.preprocessing import Preprocessing
from tinyseg.evaluation.network import network_predictor
from tinyseg.layers.memory_layout import in_fast_layout
from tinyseg.networks import build
from tinyseg.runs.records import Protocol
from tinyseg.training.module import TrainingModule


def is_channels_last(tensor: torch.Tensor) -> bool:
    return tensor.is_contiguous(memory_format=torch.channels_last)


class Watched(torch.nn.Conv2d):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen = x
        return super().forward(x)


def test_channels_are_innermost_on_the_processor():
    images = torch.randn(2, 3, 8, 6)
    laid_out = in_fast_layout(images)
    assert is_channels_last(laid_out)
    assert torch.equal(laid_out, images)


def test_training_hands_batches_over_in_that_layout():
    network = Watched(3, 1, 1)
    preprocessing = Preprocessing(size=8, mean=(0.5,) * 3, std=(0.2,) * 3)
    pictures = Pictures(np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 8, 8), np.uint8), [], [], [])
    module = TrainingModule(network, Protocol(), preprocessing, pictures, False, 0.5, 1)
    module.log = lambda *_, **__: None
    images, masks = torch.randint(0, 255, (2, 8, 8, 3)), torch.randint(0, 2, (2, 8, 8))
    module.training_step((images.to(torch.uint8), masks.to(torch.uint8)), 0)
    assert is_channels_last(network.seen)
    network.seen = None


def test_prediction_hands_batches_over_in_that_layout():
    network = Watched(3, 1, 1)
    network_predictor(network)(torch.zeros(2, 3, 8, 8).numpy())
    assert is_channels_last(network.seen)


def test_a_network_gives_the_same_in_both_layouts():
    network = build("ul-vm-unet").double()
    images = torch.randn(2, 3, 64, 32, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(network(in_fast_layout(images)), network(images))
