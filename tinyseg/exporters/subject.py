"""What a command works on: a run, an artifact, or a network's name."""

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tinyseg import plugins
from tinyseg.data.preprocessing import Preprocessing
from tinyseg.errors import TinysegError, UsageError
from tinyseg.exporters.companions import companion
from tinyseg.runs import Run
from tinyseg.runs.records import DataUsed, Manifest, Task

if TYPE_CHECKING:
    from torch import nn

    from tinyseg.evaluation import Predictor


@dataclass(frozen=True)
class Subject:
    """What a command works on.

    Attributes:
        name: what files made from it are called.
        network_name: the network's registered name, or the import path of what builds it.
        arguments: the network's arguments.
        in_channels: channels of a picture.
        task: what the logits are for.
        classes: names of the classes, one a channel of the logits.
        preprocessing: what a picture goes through before the network.
        threshold: a pixel belongs to the class from this probability on.
        run: the run it is, or that an artifact was made from, where its folder is known.
        artifact: the exported file, where the subject is one.
        manifest: the artifact's manifest.
        seed: of fresh weights.
    """

    name: str
    network_name: str
    arguments: Mapping[str, Any]
    in_channels: int
    task: Task
    classes: Sequence[str]
    preprocessing: Preprocessing
    threshold: float = 0.5
    run: Run | None = None
    artifact: Path | None = None
    manifest: Manifest | None = field(default=None, repr=False)
    seed: int = 0

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """Shape of one picture as the network takes it, (1, channels, height, width)."""
        size = self.preprocessing.size
        return (1, self.in_channels, size, size)

    @property
    def data(self) -> DataUsed | None:
        """The data of its run; None without a run, and of imported weights."""
        return self.run.record.data if self.run else None

    def network(self) -> "nn.Module":
        """The network in PyTorch, ready for inference: a run's best weights, or fresh ones.

        Raises:
            UsageError: the subject is an artifact.
            TinysegError: the run has no weights.
        """
        if self.artifact:
            raise UsageError(
                f"{self.artifact} is an exported file, which holds no network to work on.",
                "Name its run, or a network.",
            )
        if self.run:
            from tinyseg.networks import load_network

            return load_network(self.run)
        return self._fresh_network()

    def save_weights(self, path: Path) -> None:
        """Writes the network's weights as safetensors.

        Raises:
            UsageError: the network does not take pictures of this size.
        """
        import torch
        from safetensors.torch import save_file

        network = self.network()
        with torch.inference_mode():
            network(torch.zeros(self.input_shape))
        weights = network.state_dict()
        # Clones, because the file's format holds no weights that share memory.
        own = {
            name: tensor.clone(memory_format=torch.contiguous_format)
            for name, tensor in weights.items()
        }
        save_file(own, path)

    def predictor(self) -> "Predictor":
        """What turns a batch of network inputs into logits: PyTorch, or the artifact's runtime."""
        if self.artifact and self.manifest:
            from tinyseg.exporters.runtime import runtime_predictor

            return runtime_predictor(self.artifact, self.manifest.artifact.format)
        from tinyseg.evaluation import network_predictor

        return network_predictor(self.network())

    def _fresh_network(self) -> "nn.Module":
        import torch

        from tinyseg.networks import build

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = build(
                self.network_name,
                in_channels=self.in_channels,
                classes=len(self.classes),
                **self.arguments,
            )
        return network.eval()


def resolve(
    text: str,
    *,
    runs: Path = Path("runs"),
    size: int | None = None,
    classes: int | None = None,
    in_channels: int = 3,
    arguments: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Subject:
    """Finds out what a subject is; the options shape a network's fresh weights alone.

    Args:
        text: an artifact (its manifest lies beside it), a run's folder or name, a network's name.
        runs: the folder that holds the runs.
        size: side of a fresh network's input, pixels; by default the network's own.
        classes: channels of a fresh network's logits; by default the network's own.
        in_channels: channels of a fresh network's pictures.
        arguments: a fresh network's arguments.
        seed: of a fresh network's weights.

    Raises:
        UsageError: it is none of them; the nearest name is suggested.
        TinysegError: an artifact has no manifest, or is not the file that it describes.
    """
    if Path(text).is_file():
        return _artifact(Path(text))
    if any((folder / "run.json").is_file() for folder in (Path(text), runs / text)):
        return _run(Run.open(text, runs))
    if text in plugins.names("networks"):
        from tinyseg.networks import class_names, known

        network = known(text)
        middle = (0.5,) * in_channels
        return Subject(
            name=text,
            network_name=text,
            arguments=dict(arguments or {}),
            in_channels=in_channels,
            task=network.task,
            classes=class_names(network.task, classes or network.classes),
            preprocessing=Preprocessing(size=size or network.size, mean=middle, std=middle),
            seed=seed,
        )
    raise _unknown(text, runs)


def manifest_path(artifact: Path) -> Path:
    """Where an artifact's manifest lies."""
    return artifact.with_name(artifact.name + ".json")


def files_of(artifact: Path, manifest: Manifest) -> dict[Path, str]:
    """The files that a manifest describes and their SHA-256, the artifact first."""
    beside = manifest.beside.items()
    return {artifact: manifest.sha256} | {companion(artifact, end): sha for end, sha in beside}


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _run(run: Run) -> Subject:
    record = run.record
    return Subject(
        name=run.name,
        network_name=record.network,
        arguments=record.arguments,
        in_channels=record.channels,
        task=record.task,
        classes=record.classes,
        preprocessing=record.preprocessing,
        threshold=record.threshold,
        run=run,
    )


def _artifact(path: Path) -> Subject:
    manifest = _read_manifest(path)
    contents = manifest.contents
    folder = path.resolve().parent.parent
    return Subject(
        name=path.name,
        network_name=contents.network,
        arguments=contents.arguments,
        in_channels=contents.picture_shape[1],
        task=contents.task,
        classes=contents.classes,
        preprocessing=contents.preprocessing,
        threshold=contents.threshold,
        run=Run(folder) if (folder / "run.json").is_file() else None,
        artifact=path,
        manifest=manifest,
    )


def _read_manifest(path: Path) -> Manifest:
    beside = manifest_path(path)
    try:
        manifest = Manifest.model_validate_json(beside.read_bytes())
    except FileNotFoundError:
        raise TinysegError(
            f"{path} has no manifest beside it ({beside.name}), so its preprocessing is unknown.",
            "Export it with tinyseg export, or bring the manifest along.",
        ) from None
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise TinysegError(f"{beside} is not a manifest that tinyseg reads: {problem}.") from None
    for file, digest in files_of(path, manifest).items():
        if not file.is_file():
            raise TinysegError(f"{file}, which belongs to {path}, is missing.", "Bring it along.")
        if digest != sha256(file):
            raise TinysegError(
                f"{file} is not the file that its manifest describes: the SHA-256 differs.",
                "Export it again.",
            )
    return manifest


def _unknown(text: str, runs: Path) -> UsageError:
    networks, known_runs = plugins.names("networks"), [run.name for run in Run.all(runs)]
    what = "a folder without run.json, so no run" if Path(text).is_dir() else "no run"
    message = f"'{text}' is {what}, no exported file and no network's name."
    near = difflib.get_close_matches(Path(text).name, [*networks, *known_runs], n=1, cutoff=0.5)
    if near:
        return UsageError(message, f"Did you mean '{near[0]}'?")
    found = f"Networks: {', '.join(networks)}."
    if known_runs:
        found += f" Runs in {runs}: {', '.join(known_runs[-5:])}."
    return UsageError(message, found)
