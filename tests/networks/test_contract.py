"""Every registered network keeps the contract that `tinyseg.testing` ships."""

import itertools

import pytest
import torch
from torch import nn

from tinyseg import plugins, testing
from tinyseg.errors import UsageError
from tinyseg.networks import Network, registry
from tinyseg.testing import CHECKS
from tinyseg.testing.networks import (
    gives_logits,
    learns,
    survives_saving,
    takes_any_size,
    uses_its_parameters,
)

every_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)


@every_check
@pytest.mark.parametrize("name", plugins.names("networks"))
def test_the_zoo_keeps_the_contract(name: str, check: testing.NetworkCheck):
    check(name)


class _FixedSize(nn.Conv2d):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(super().forward(input), (64, 64))


class _Deaf(nn.Conv2d):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv2d(input, self.weight.detach(), self.bias)


class _Stubborn(nn.Conv2d):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input).detach() + 0 * self.weight.sum() + 0 * self.bias.sum()


class _Forgetful(nn.Conv2d):
    """Holds what its weights do not: how many were made before it."""

    made = itertools.count()

    def __init__(self, *arguments: int) -> None:
        super().__init__(*arguments)
        self.number = next(self.made)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input) + self.number


class _Classifier(nn.Conv2d):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input).mean((2, 3))


class _StubbornClassifier(_Stubborn):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input).mean((2, 3))


class _OfEvenSides(_Classifier):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        height, width = input.shape[2:]
        if height % 2 or width % 2:
            raise UsageError(f"Sides should be even, not {height}x{width}.")
        return super().forward(input)


class _Unclear(_Classifier):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if input.shape[2] % 2 or input.shape[3] % 2:
            raise UsageError("No.")
        return super().forward(input)


class _OfOneSize(_OfEvenSides):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input)[: 2 if input.shape[2] == 32 else 1]


@pytest.mark.parametrize(
    ("kind", "check", "sentence"),
    [
        (_FixedSize, takes_any_size, r"gives logits \(2, 1, 64, 64\)"),
        (_Deaf, uses_its_parameters, "gradients reach 1 of 4 parameters of it, 0 are declared"),
        (_Stubborn, learns, "do not lower the loss"),
        (_Forgetful, survives_saving, "another network after loading"),
    ],
)
def test_a_network_that_does_not_keep_it_is_told(monkeypatch, kind, check, sentence):
    registered(monkeypatch, kind)
    with pytest.raises(AssertionError, match=sentence):
        check("it")


@pytest.mark.parametrize(
    ("kind", "check", "sentence"),
    [
        (nn.Conv2d, gives_logits, r"gives logits \(2, 10, 32, 32\)"),
        (_Unclear, takes_any_size, "it: No."),
        (_OfOneSize, takes_any_size, r"gives logits \(1, 10\)"),
        (_StubbornClassifier, learns, "do not lower the loss"),
    ],
)
def test_a_network_that_classifies_is_told_too(monkeypatch, kind, check, sentence):
    registered(monkeypatch, kind, task="classification", size=32, classes=10)
    with pytest.raises(AssertionError, match=sentence):
        check("it")


@pytest.mark.parametrize("kind", [_Classifier, _OfEvenSides])
@pytest.mark.parametrize("check", [gives_logits, takes_any_size, learns])
def test_networks_that_classify_keep_it(monkeypatch, kind, check):
    registered(monkeypatch, kind, task="classification", size=32, classes=10)
    check("it")


def test_only_networks_that_classify_may_refuse_a_size(monkeypatch):
    registered(monkeypatch, _OfEvenSides)
    with pytest.raises(AssertionError, match="it: Sides should be even, not 50x71"):
        takes_any_size("it")


def test_a_network_for_one_size_has_to_refuse_others(monkeypatch):
    def careless(in_channels: int = 3, classes: int = 1, size: int = 256) -> nn.Module:
        return nn.Conv2d(in_channels, classes, 1)

    known = Network(careless, "Example", one_size=True)
    for module in (testing.networks, registry):
        monkeypatch.setattr(module, "known", lambda name: known)
    with pytest.raises(AssertionError, match="to take one size alone, and takes 50x71 too"):
        takes_any_size("it")


def registered(monkeypatch, kind, **known):
    def one_layer(in_channels: int = 3, classes: int = 1) -> nn.Module:
        return kind(in_channels, classes, 1)

    for module in (testing.networks, registry):
        monkeypatch.setattr(module, "known", lambda _: Network(one_layer, "Example", **known))
