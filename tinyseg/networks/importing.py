"""`import_run`: weights of other code as a finished run."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyseg import plugins
from tinyseg.data.preprocessing import Preprocessing
from tinyseg.errors import TinysegError, UsageError
from tinyseg.networks.foreign_weights import Weights, misfits, read_weights, with_own_names
from tinyseg.networks.registry import build, class_names, known
from tinyseg.runs import Run
from tinyseg.runs.machine import now, this_command, this_machine, versions
from tinyseg.runs.records import CountRecord, Imported, Origin, RunRecord, Task

if TYPE_CHECKING:
    from torch import nn

#: What white is to each origin's networks.
_WHITE: Mapping[Origin, int] = {"ultralight-vm-unet": 255, "paper": 1, "plain": 1}
_RGB = 3


def import_run(
    file: Path,
    model: str,
    origin: Origin,
    *,
    arguments: Mapping[str, Any] | None = None,
    classes: Sequence[str] | None = None,
    size: int | None = None,
    runs: Path = Path("runs"),
    name: str | None = None,
) -> Run:
    """Makes a finished run of weights that other code trained.

    Channels of a picture and the number of classes are those of the weights. The run takes RGB:
    where the origin took BGR, the weights of the layer that the picture enters are turned around.

    Args:
        file: a state_dict, alone or inside a checkpoint: .pth, .pt or .safetensors.
        model: the network's name.
        origin: the code that trained them: ``ultralight-vm-unet`` (its authors' own) fed pictures
            from 0 to 255, ``paper`` (of "Mamba vs SOTA for Vision Tasks") from 0 to 1 in BGR,
            ``plain`` means from 0 to 1 in RGB.
        arguments: of the network.
        classes: names, one a channel of the logits.
        size: side that pictures are resized to, pixels; by default the network's own.
        runs: where run folders are.
        name: of the run's folder; by default ``MODEL-imported-N``.

    Raises:
        UsageError: no such model or argument, a file of another kind, or too few or many classes.
        TinysegError: a file that cannot be read, or weights that do not fit.
    """
    from tinyseg.counting import count

    arguments, task = dict(arguments or {}), known(model).task
    size = size or known(model).size
    fit = _fit(read_weights(file), model, arguments)
    weights, notes = _to_rgb(fit, model, origin)
    network = fit.network
    if misfits(weights, network.state_dict()):
        raise _misfit(file, model, fit)
    network.load_state_dict(weights)
    shape = (1, fit.channels, size, size)
    counted = count(network, shape, name=model, arguments=arguments)
    with file.open("rb") as opened:
        sha256 = file_digest(opened, "sha256").hexdigest()
    record = RunRecord(
        state="finished",
        network=model,
        arguments=arguments,
        parameters=counted.parameters,
        data=None,
        protocol=None,
        preprocessing=Preprocessing(
            size=size, mean=(0.0,) * fit.channels, std=(1 / _WHITE[origin],) * fit.channels
        ),
        imported=Imported(
            file=str(file),
            sha256=sha256,
            origin=origin,
            task=task,
            classes=_named(classes, task, fit.classes),
            channels=fit.channels,
            dropped=len(fit.dropped),
            notes=notes,
        ),
        command=this_command(),
        versions=versions(),
        machine=this_machine(),
        started=now(),
        finished=now(),
    )
    return _write(Run.create(runs, f"{model}-imported", name), network, counted, record)


@dataclass(frozen=True)
class _Fit:
    """Weights beside a network built for them.

    Attributes:
        network: with fresh weights.
        weights: called as the network's.
        dropped: names of weights that repeat others.
        channels: of a picture.
        classes: channels of the logits.
        entrance: the names and axes of weights that depend on the number of channels.
    """

    network: "nn.Module"
    weights: Weights
    dropped: list[str]
    channels: int
    classes: int
    entrance: list[tuple[str, int]]


def _fit(weights: Weights, model: str, arguments: Mapping[str, Any]) -> _Fit:
    usual = build(model, **arguments).state_dict()
    weights, dropped = with_own_names(weights, usual)
    found: dict[str, int] = {}
    places: dict[str, list[tuple[str, int]]] = {}
    for argument, default in (("in_channels", _RGB), ("classes", 1)):
        other = build(model, **{argument: default + 1}, **arguments).state_dict()
        places[argument] = [
            place
            for place in _differing(usual, other)
            if usual[place[0]].shape[place[1]] == default
        ]
        read = [
            weights[name].shape[axis]
            for name, axis in places[argument]
            if name in weights and weights[name].dim() == usual[name].dim()
        ]
        found[argument] = read[0] if read and read[0] else default
    return _Fit(
        network=build(model, **found, **arguments),
        weights=weights,
        dropped=dropped,
        channels=found["in_channels"],
        classes=found["classes"],
        entrance=places["in_channels"],
    )


def _differing(one: Weights, other: Weights) -> Iterator[tuple[str, int]]:
    for name in one:
        sides = zip(one[name].shape, other[name].shape, strict=True)
        yield from ((name, axis) for axis, (a, b) in enumerate(sides) if a != b)


def _to_rgb(fit: _Fit, model: str, origin: Origin) -> tuple[Weights, list[str]]:
    """The weights as they take RGB, and what is to be known of the pictures they take."""
    notes = [f"Pictures go in from 0 to {_WHITE[origin]}, their channels as read."]
    if origin == "ultralight-vm-unet":
        notes.append(
            "The origin also stretched each picture so that it reached from 0 to 255; here it is "
            "left as it is."
        )
    if origin != "paper" or fit.channels != _RGB:
        return fit.weights, notes
    if len(fit.entrance) != 1:
        raise UsageError(
            f"{model} has no single layer that a picture enters, so that weights for BGR cannot be "
            "turned to RGB.",
            "With --origin plain they are taken as they are.",
        )
    name, axis = fit.entrance[0]
    notes.append(f"The origin's were BGR; {name} was turned around, so that these are RGB.")
    if name not in fit.weights:  # told with all that is missing
        return fit.weights, notes
    return fit.weights | {name: fit.weights[name].flip(axis)}, notes


def _misfit(file: Path, model: str, fit: _Fit) -> TinysegError:
    problems = misfits(fit.weights, fit.network.state_dict())
    others = [other for other in plugins.names("networks") if other != model]
    fitting = next((other for other in others if _fits(fit.weights, other)), None)
    return TinysegError(
        f"{file} does not fit {model}: {'; '.join(problems)}.",
        f"The weights fit --model {fitting}."
        if fitting
        else "Name another --model, or its arguments by --set.",
    )


def _fits(weights: Weights, model: str) -> bool:
    try:
        fit = _fit(weights, model, {})
    except TinysegError:  # somebody's package is broken, which is not the question here
        return False
    return not misfits(fit.weights, fit.network.state_dict())


def _named(names: Sequence[str] | None, task: Task, classes: int) -> list[str]:
    if names is None:
        return class_names(task, classes)
    if len(names) != classes:
        raise UsageError(
            f"The weights tell {classes} {'class' if classes == 1 else 'classes'} apart, "
            f"--classes names {len(names)}."
        )
    return list(names)


def _write(run: Run, network: "nn.Module", counted: CountRecord, record: RunRecord) -> Run:
    """Fills a new folder; ``run.json`` comes last, and nothing stays of a folder without it."""
    from safetensors.torch import save_file

    try:
        run.best_weights.parent.mkdir()
        weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
        save_file(weights, run.best_weights)
        run.write("count.json", counted)
        run.write("run.json", record)
    except BaseException:
        shutil.rmtree(run.path, ignore_errors=True)
        raise
    return run
