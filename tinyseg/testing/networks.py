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

_LARGEST_SIDE, _ODD_SIDES = 64, (50, 71)
_STEPS = 10
_LEARNING_RATES = (1e-2, 1e-3, 1e-4)


def gives_logits(name: str, **arguments: Any) -> None:
    """Pictures (batch, 3, side, side) give logits of the shape that the task wants, all finite."""
    x = _usual_pictures(name)
    with torch.no_grad():
        logits = _fresh(name, arguments).eval()(x)
    assert logits.shape == _expected(name, x), f"{name} gives logits {tuple(logits.shape)}"
    assert logits.isfinite().all(), f"{name} gives logits that are no numbers"


def takes_any_size(name: str, **arguments: Any) -> None:
    """Sides that are no multiple of anything are taken.

    One that declares to take one size alone takes any when built for it, and refuses others. One
    that classifies may refuse them in a `UsageError` that names them, and take twice its usual
    size.
    """
    if known(name).one_size:
        for side in _ODD_SIDES:
            network, x = _fresh(name, arguments, side).eval(), _pictures(side, side)
            _shaped(name, network, x)
            _refuses(name, network, _pictures(*_ODD_SIDES))
        return
    if known(name).task == "segmentation" and "size" in arguments:
        return
    network, x = _fresh(name, arguments).eval(), _pictures(*_ODD_SIDES)
    try:
        _shaped(name, network, x)
    except UsageError as refusal:
        named = "x".join(map(str, _ODD_SIDES)) in refusal.message
        assert known(name).task == "classification" and named, f"{name}: {refusal.message}"
        _shaped(name, network, _usual_pictures(name, times=2))


def takes_any_channels_and_classes(name: str, **arguments: Any) -> None:
    """Pictures of one or of four channels, logits of several classes."""
    for channels in (1, 4):
        x = _usual_pictures(name, channels)
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
    network.train()(_usual_pictures(name)).square().mean().backward()
    reached = sum(p.numel() for p in network.parameters() if p.grad is not None)
    whole = sum(p.numel() for p in network.parameters())
    assert reached + unused == whole, (
        f"gradients reach {reached} of {whole} parameters of {name}, {unused} are declared unused"
    )


def learns(name: str, **arguments: Any) -> None:
    """A few steps on one batch lower its loss, at one of three learning rates."""
    x = _usual_pictures(name)
    loss_of = _loss(name, x)
    for rate in _LEARNING_RATES:
        network = _fresh(name, arguments).train()
        optimiser = torch.optim.Adam(network.parameters(), lr=rate)
        losses: list[float] = []
        for _ in range(_STEPS):
            optimiser.zero_grad()
            loss = loss_of(network(x))
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        if losses[-1] < losses[0]:
            return
    raise AssertionError(f"{_STEPS} steps on one batch do not lower the loss of {name}")


def survives_saving(name: str, **arguments: Any) -> None:
    """Weights that are saved and loaded give the same logits, bit for bit."""
    network, other = _fresh(name, arguments).eval(), _built(name, arguments).eval()
    x = _usual_pictures(name)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "weights.safetensors")
        save_file({k: v.contiguous() for k, v in network.state_dict().items()}, file)
        other.load_state_dict(load_file(file))
    with torch.no_grad():
        assert torch.equal(network(x), other(x)), f"{name} is another network after loading"


def exports_to_onnx(name: str, **arguments: Any) -> None:
    """The exported file gives what the network gives; raises `ParityError` where it does not."""
    subject = resolve(
        name,
        size=_side(name),
        classes=known(name).classes,
        arguments=_sized(name, arguments),
    )
    with tempfile.TemporaryDirectory() as folder:
        export(subject, ["onnx"], out=Path(folder), evaluate=False)


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


def _fresh(name: str, arguments: dict[str, Any], size: int | None = None) -> nn.Module:
    torch.manual_seed(0)
    return _built(name, arguments, size)


def _built(name: str, arguments: dict[str, Any], size: int | None = None) -> nn.Module:
    return build(name, classes=known(name).classes, **_sized(name, arguments, size))


def _sized(name: str, arguments: dict[str, Any], size: int | None = None) -> dict[str, Any]:
    """The arguments, with the size of the pictures for a network that has to know it."""
    return {**arguments, "size": size or _side(name)} if known(name).one_size else arguments


def _shaped(name: str, network: nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        logits = network(x)
    assert logits.shape == _expected(name, x), f"{name} gives logits {tuple(logits.shape)}"


def _refuses(name: str, network: nn.Module, x: Tensor) -> None:
    try:
        network(x)
    except UsageError:
        return
    sides = "x".join(map(str, x.shape[2:]))
    raise AssertionError(f"{name} declares to take one size alone, and takes {sides} too")


def _side(name: str) -> int:
    return min(known(name).size, _LARGEST_SIDE)


def _usual_pictures(name: str, channels: int = 3, *, times: int = 1) -> Tensor:
    side = times * _side(name)
    return _pictures(side, side, channels)


def _pictures(height: int, width: int, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, channels, height, width, generator=generator)


def _expected(name: str, x: Tensor, classes: int | None = None) -> tuple[int, ...]:
    """Shape of the logits, of the network's usual classes unless others are asked for."""
    shape = (len(x), classes or known(name).classes)
    return (*shape, *x.shape[2:]) if known(name).task == "segmentation" else shape


def _loss(name: str, x: Tensor) -> Callable[[Tensor], Tensor]:
    """What logits for pictures are judged by: cross-entropy over classes, or pixel by pixel."""
    if known(name).task == "classification":
        labels = torch.arange(len(x)) % known(name).classes
        return lambda logits: F.cross_entropy(logits, labels)
    masks = (torch.rand(_expected(name, x)) < 0.3).float()
    return lambda logits: F.binary_cross_entropy_with_logits(logits, masks)
