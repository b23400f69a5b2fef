"""What an exporter is."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tinyseg import plugins
from tinyseg.errors import MissingExtraError
from tinyseg.runs.records import Contents, ExportOptions, Precision

if TYPE_CHECKING:
    from torch import Tensor, nn

#: One inference of a runtime: network input (1, channels, height, width) to logits, both float32
#: whatever the layout and the element types inside the file are.
Session = Callable[[NDArray[np.float32]], NDArray[np.float32]]


#: Nothing asked for but the file: float32, the format's own scan, a fixed shape.
AS_USUAL = ExportOptions()


class Conversion(NamedTuple):
    """What is asked of an exporter.

    Attributes:
        contents: what the file says about itself, in its own metadata.
        options: those that the exporter knows; the others are as by default.
        calibration: network inputs, (images, channels, height, width), for precisions that take
            ranges of activations from pictures; else None.
    """

    contents: Contents
    options: ExportOptions = AS_USUAL
    calibration: NDArray[np.float32] | None = None


class Details(NamedTuple):
    """What an exporter tells about the file it wrote.

    Attributes:
        nodes: operators in the file, those inside control flow included.
        opset: version of the operator set, where the format has one.
        scan: form that selective scans took.
    """

    nodes: int
    opset: int | None
    scan: str


class Exporter(Protocol):
    """One format; what an entry point of the group ``tinyseg.exporters`` refers to.

    Attributes:
        name: the format's name on the command line.
        suffix: ending of its files, with the dot.
        runtime: name of the runtime that runs its files.
        extra: the extra of tinyseg that brings its packages, or None when they come along.
        converts_with: imports that conversion needs.
        runs_with: imports that running needs.
        precisions: those it writes, fp32 first.
        options: names of the other options of `ExportOptions` that it knows.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    runtime: ClassVar[str]
    extra: ClassVar[str | None]
    converts_with: ClassVar[tuple[str, ...]]
    runs_with: ClassVar[tuple[str, ...]]
    precisions: ClassVar[tuple[Precision, ...]]
    options: ClassVar[tuple[str, ...]]

    def supports(self, module: "nn.Module") -> str | None:
        """Why a network cannot be exported, as a sentence; None if it can, as far as is known."""
        ...

    def export(
        self, module: "nn.Module", example: "Tensor", path: Path, conversion: Conversion
    ) -> Details:
        """Writes a file; runs in a child process.

        Args:
            module: the network, ready for inference.
            example: an input, (1, channels, height, width); the file takes this shape alone, unless
                it is asked to leave it free.
            path: where to write.
            conversion: what is asked for.
        """
        ...

    def holds(self, path: Path) -> dict[str, int]:
        """Bytes of weights by element type (``float32``, ``float16``, ``int8``), read back."""
        ...

    def contents(self, path: Path) -> Contents:
        """What a file says about itself.

        Raises:
            TinysegError: it says nothing that tinyseg wrote.
        """
        ...

    def session(self, path: Path, threads: int = 1) -> Session:
        """Loads a file into its real runtime; runs in a child process."""
        ...


@runtime_checkable
class Inspectable(Protocol):
    """An exporter whose runtime shows what happens inside a file; none has to be.

    Attributes:
        caveat: in what it then differs from the runtime as it is used, as a sentence; or nothing.
    """

    caveat: ClassVar[str]

    def values(self, path: Path, images: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """Every intermediate value and the output of one inference; runs in a child process.

        Args:
            path: the file.
            images: one network input.
        """
        ...


def load_exporter(name: str) -> Exporter:
    """The exporter of a format.

    Raises:
        UsageError: there is none; the nearest name is suggested.
    """
    return plugins.load("exporters", name)()


def require(exporter: Exporter, packages: tuple[str, ...], what: str) -> None:
    """Checks that packages are installed, without importing them.

    Raises:
        MissingExtraError: one is not.
    """
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtraError(what, package, exporter.extra or exporter.name)
