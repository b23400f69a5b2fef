"""The contract of a network, check by check.

With pytest, for a network that an entry point names::

    @pytest.mark.parametrize("check", tinyseg.testing.CHECKS)
    def test_my_network_keeps_the_contract(check):
        check("my-network")
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tinyseg.errors import UsageError
from tinyseg.exporters.export import export
from tinyseg.exporters.subject import resolve
from tinyseg.networks import build, known

#: Called with a network's name; raises an `AssertionError` that says what is not kept.
NetworkCheck = Callable[..., None]

_SIDE, _ODD_SIDES = 64, (50, 71)
_STEPS = 10
_LEARNING_RATES = (1e-2, 1e-3, 1e-4)


def gives_logits(name: str, **arguments: Any) -> None:
    """Pictures (batch, 3, side, side) give logits of the shape that the task wants, all finite."""
    x = _pictures(_SIDE, _SIDE)
    with torch.no_grad():
        logits = _fresh(name, arguments).eval()(x)
    assert logits.shape == _expected(name, x, 1), f"{name} gives logits {tuple(logits.shape)}"
    assert logits.isfinite().all(), f"{name} gives logits that are no numbers"


def takes_any_size(name: str, **arguments: Any) -> None:
    """Sides that are no multiple of anything are taken, by networks for segmentation.

    One that declares to take one size alone takes any when built for it, and refuses others.
    """
    if known(name).task != "segmentation":
        return
    for sides in [(side, side) for side in _ODD_SIDES] if known(name).one_size else [_ODD_SIDES]:
        x = _pictures(*sides)
        network = _fresh(name, arguments, size=sides[0]).eval()
        with torch.no_grad():
            logits = network(x)
        assert logits.shape == _expected(name, x, 1), f"{name} gives logits {tuple(logits.shape)}"
        if known(name).one_size:
            _refuses(name, network, _pictures(*_ODD_SIDES))


def takes_any_channels_and_classes(name: str, **arguments: Any) -> None:
    """Pictures of one or of four channels, logits of several classes."""
    for channels in (1, 4):
        x = _pictures(_SIDE, _SIDE, channels)
        arguments = _sized(name, arguments)
        network = build(name, in_channels=channels, classes=3, **arguments).eval()
        with torch.no_grad():
            logits = network(x)
        assert logits.shape == _expected(name, x, 3), (
            f"{name} gives logits {tuple(logits.shape)} for pictures of {channels} channels"
        )


def refuses_unknown_arguments(name: str, **arguments: Any) -> None:
    """An argument that the constructor does not have is named in the error."""
    try:
        build(name, **arguments, no_such_argument=1)
    except UsageError as error:
        assert "no_such_argument" in error.message, f"{name}: {error.message}"
    else:
        raise AssertionError(f"{name} takes an argument that it does not have")


def uses_its_parameters(name: str, **arguments: Any) -> None:
    """A gradient reaches every parameter, but for those that the network declares as unused."""
    network, unused = _fresh(name, arguments), known(name).unused
    network.train()(_pictures(_SIDE, _SIDE)).square().mean().backward()
    reached = sum(p.numel() for p in network.parameters() if p.grad is not None)
    whole = sum(p.numel() for p in network.parameters())
    assert reached + unused == whole, (
        f"gradients reach {reached} of {whole} parameters of {name}, {unused} are declared unused"
    )


def learns(name: str, **arguments: Any) -> None:
    """A few steps on one batch lower its loss, at one of three learning rates."""
    x = _pictures(_SIDE, _SIDE)
    targets = (torch.rand(_expected(name, x, 1)) < 0.3).float()
    for rate in _LEARNING_RATES:
        network = _fresh(name, arguments).train()
        optimiser = torch.optim.Adam(network.parameters(), lr=rate)
        losses: list[float] = []
        for _ in range(_STEPS):
            optimiser.zero_grad()
            loss = F.binary_cross_entropy_with_logits(network(x), targets)
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        if losses[-1] < losses[0]:
            return
    raise AssertionError(f"{_STEPS} steps on one batch do not lower the loss of {name}")


def survives_saving(name: str, **arguments: Any) -> None:
    """Weights that are saved and loaded give the same logits, bit for bit."""
    network = _fresh(name, arguments).eval()
    other = build(name, **_sized(name, arguments)).eval()
    x = _pictures(_SIDE, _SIDE)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "weights.safetensors")
        save_file({k: v.contiguous() for k, v in network.state_dict().items()}, file)
        other.load_state_dict(load_file(file))
    with torch.no_grad():
        assert torch.equal(network(x), other(x)), f"{name} is another network after loading"


def exports_to_onnx(name: str, **arguments: Any) -> None:
    """The exported file gives what the network gives; raises `ParityError` where it does not."""
    subject = resolve(name, size=_SIDE, arguments=_sized(name, arguments))
    with tempfile.TemporaryDirectory() as folder:
        export(subject, ["onnx"], out=Path(folder), check_accuracy=False)


CHECKS: tuple[NetworkCheck, ...] = (
    gives_logits,
    takes_any_size,
    takes_any_channels_and_classes,
    refuses_unknown_arguments,
    uses_its_parameters,
    learns,
    survives_saving,
    exports_to_onnx,
)


def _fresh(name: str, arguments: dict[str, Any], size: int = _SIDE) -> nn.Module:
    torch.manual_seed(0)
    return build(name, **_sized(name, arguments, size))


def _sized(name: str, arguments: dict[str, Any], size: int = _SIDE) -> dict[str, Any]:
    """The arguments, with the size of the pictures for a network that has to know it."""
    return {**arguments, "size": size} if known(name).one_size else arguments


def _refuses(name: str, network: nn.Module, x: Tensor) -> None:
    try:
        network(x)
    except UsageError:
        return
    sides = "x".join(map(str, x.shape[2:]))
    raise AssertionError(f"{name} declares to take one size alone, and takes {sides} too")


def _pictures(height: int, width: int, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, channels, height, width, generator=generator)


def _expected(name: str, x: Tensor, classes: int) -> tuple[int, ...]:
    over_pixels = known(name).task == "segmentation"
    return (len(x), classes, *x.shape[2:]) if over_pixels else (len(x), classes)
