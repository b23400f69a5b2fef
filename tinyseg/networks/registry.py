"""What a network is known by, and how it is built."""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from tinyseg import plugins
from tinyseg.errors import UsageError
from tinyseg.networks.own import build_own, is_own
from tinyseg.runs.records import BACKGROUND, Task

if TYPE_CHECKING:
    from torch import nn

    from tinyseg.networks.encoder_weights import EncoderWeights


@dataclass(frozen=True)
class PaperRow:
    """A row of Table I of "Mamba vs SOTA for Vision Tasks", as printed.

    Attributes:
        parameters_m: millions of parameters.
        dice: pooled by batch, from 0 to 1.
        remark: what is wrong with a figure, in one sentence.
        remark_on: which figure; None means both.
    """

    parameters_m: float
    dice: float
    remark: str | None = None
    remark_on: Literal["parameters_m", "dice"] | None = None


@dataclass(frozen=True)
class Network:
    """A network by name: what an entry point of the group ``tinyseg.networks`` refers to.

    Attributes:
        module: called with ``in_channels``, ``classes`` and the arguments; its result maps
            (batch, in_channels, height, width) to logits (batch, classes, height, width), or
            (batch, classes) where the task is classification.
        family: the architecture it belongs to.
        task: what its logits are for.
        size: side of a picture, where nobody says.
        classes: channels of the logits, where nobody says.
        arguments: arguments that make this variant.
        paper: its row in the paper, where it has one.
        unused: parameters that nothing uses, kept because the original has them.
        note: what is to be known of its parameters, such as where they differ from the original's.
        one_size: takes square pictures of the side alone that its argument ``size`` says.
        encoder_weights: weights of other code that its ``encoder`` can start from.
    """

    module: "Callable[..., nn.Module]"
    family: str
    task: Task = "segmentation"
    size: int = 256
    classes: int = 1
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    paper: PaperRow | None = None
    unused: int = 0
    note: str | None = None
    one_size: bool = False
    encoder_weights: "EncoderWeights | None" = None


def known(name: str) -> Network:
    """The network of a name.

    Raises:
        UsageError: there is none; the nearest name is suggested.
    """
    return plugins.load("networks", name)


def build(name: str, *, in_channels: int = 3, classes: int = 1, **arguments: Any) -> "nn.Module":
    """Builds a network with fresh weights.

    Args:
        name: the network's name, or ``MODULE:NAME`` of what builds one of the user's own.
        in_channels: channels of a picture; a network of one's own has those that it has.
        classes: channels of the logits; likewise.
        arguments: constructor arguments beyond the variant's own.

    Raises:
        UsageError: no such network or argument, or a value of another type.
        TinysegError: what builds a network of one's own fails, or builds something else.
    """
    if is_own(name):
        return build_own(name, arguments)
    network = known(name)
    _check_names(name, network, arguments)
    values = {**network.arguments, **_converted(name, network, arguments)}
    return network.module(in_channels=in_channels, classes=classes, **values)


def defaults(network: Network) -> dict[str, Any]:
    """Arguments that a network takes beyond channels and classes, with what they are unless set."""
    values = {name: parameter.default for name, parameter in _taken(network).items()}
    values.update(network.arguments)
    return {name: value for name, value in values.items() if value is not inspect.Parameter.empty}


def class_names(task: Task, channels: int) -> list[str]:
    """Names for classes that nobody named, one a channel of the logits."""
    if task == "segmentation":
        if channels == 1:
            return ["foreground"]
        return [BACKGROUND, *(f"class {n}" for n in range(1, channels))]
    return [f"class {n}" for n in range(1, channels + 1)]


def parse_arguments(name: str, settings: Sequence[str]) -> dict[str, Any]:
    """Reads ``NAME=VALUE`` settings as arguments of a network; values are JSON, or plain words.

    Raises:
        UsageError: a setting without ``=``, an argument the network does not have, or a value of
            another type.
    """
    arguments: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting} should be NAME=VALUE.")
        try:
            arguments[key.strip().replace("-", "_")] = json.loads(value)
        except json.JSONDecodeError:
            arguments[key.strip().replace("-", "_")] = value
    if not is_own(name):  # which is asked when it is called
        _check_names(name, known(name), arguments)
        _converted(name, known(name), arguments)
    return arguments


def _taken(network: Network) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(network.module).parameters
    return {name: p for name, p in parameters.items() if name not in {"in_channels", "classes"}}


def _check_names(name: str, network: Network, arguments: Mapping[str, Any]) -> None:
    taken = _taken(network)
    for argument in arguments:
        if argument not in taken:
            has = f"It has: {', '.join(sorted(taken))}." if taken else "It has none."
            raise UsageError(f"{name} has no argument called '{argument}'.", has)


def _converted(name: str, network: Network, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the constructor's annotations want them, a tuple for a list and so on."""
    parameters = inspect.signature(network.module).parameters
    return {
        argument: _as_annotated(f"{argument} of {name}", parameters[argument].annotation, value)
        for argument, value in arguments.items()
    }


def _as_annotated(what: str, annotation: Any, value: Any) -> Any:
    if annotation is inspect.Parameter.empty or isinstance(annotation, str):
        return value
    try:
        # Arguments are JSON, where a list stands for a tuple too, but no word for a number.
        return TypeAdapter(annotation).validate_json(json.dumps(value), strict=True)
    except (PydanticUserError, TypeError):  # a type that pydantic or JSON does not know
        return value
    except ValidationError as error:
        first = error.errors()[0]
        should, found = first["msg"].removeprefix("Input "), first["input"]
        place = f"item {first['loc'][0]} of {what}" if first["loc"] else what
        raise UsageError(f"{place} {should}, not {found!r}.") from None
