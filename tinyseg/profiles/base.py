"""What a device is, and what it is asked to measure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from tinyseg.runs.records import ProfileRecord


@dataclass(frozen=True)
class Target:
    """One file to measure in one runtime.

    Attributes:
        file: the artifact, or a network's weights.
        label: what the record calls it.
        runtime: torch, onnxruntime, litert …
        precision: of its numbers.
        input: shape of the input, (batch, channels, height, width) unless the file has channels
            last.
        format: of an artifact; None for weights.
        variant: of an artifact, what sets it apart from its format's usual file.
        network: for torch, what builds the network (``network``, ``arguments``, ``in_channels``,
            ``classes``).
        bytes: of an artifact, with the files that belong to it; None for weights.
    """

    file: Path
    label: str
    runtime: str
    precision: str
    input: tuple[int, ...]
    format: str | None = None
    variant: str = ""
    network: Mapping[str, Any] = field(default_factory=dict[str, Any])
    bytes: int | None = None


@dataclass(frozen=True)
class Request:
    """How to measure.

    Attributes:
        threads: threads the runtime is given.
        min_iterations: fewest inferences after warm-up.
        min_seconds: shortest measurement.
        max_seconds: longest measurement, which the other two give way to.
    """

    threads: int = 1
    min_iterations: int = 30
    min_seconds: float = 2.0
    max_seconds: float = 10.0


class Device(Protocol):
    """Where a profile is taken; what an entry point of ``tinyseg.devices`` refers to.

    Attributes:
        name: the device's name on the command line.
    """

    name: ClassVar[str]

    def available(self) -> str | None:
        """Why it cannot be used now, as a sentence; None if it can."""
        ...

    def measure(self, target: Target, request: Request) -> ProfileRecord:
        """Measures one file.

        Raises:
            ChildError: the runtime refused the file, crashed or took too long.
        """
        ...
