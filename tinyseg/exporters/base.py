"""What an exporter is."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tinyseg import plugins
from tinyseg.errors import MissingExtraError, TinysegError
from tinyseg.runs.records import Arena, Contents, ExportOptions, Precision

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
        shared: folder in which an exporter may keep what a network's other files can be made from;
            or None.
    """

    contents: Contents
    options: ExportOptions = AS_USUAL
    calibration: NDArray[np.float32] | None = None
    shared: Path | None = None


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
class Particular(Protocol):
    """An exporter that does not take every value of the options that it knows."""

    def check_options(self, options: ExportOptions) -> None:
        """Looks at the options before anything is done.

        Raises:
            UsageError: a value, or several together, that the format does not have.
            TinysegError: what it needs for them is not here.
        """
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


class Runtime(NamedTuple):
    """What runs a file.

    Attributes:
        name: as figures are labelled.
        packages: imports that running needs.
        extra: the extra of tinyseg that brings them.
    """

    name: str
    packages: tuple[str, ...]
    extra: str


@runtime_checkable
class Targeted(Protocol):
    """An exporter that also writes files for other runtimes than its own; none has to."""

    def runtime_for(self, target: str) -> Runtime:
        """What runs the files for a target."""
        ...

    def arena(self, path: Path) -> Arena | None:
        """The memory that such a file's runtime plans; None of a file for the usual runtime."""
        ...


@runtime_checkable
class RunsTwice(Protocol):
    """An exporter whose files a second runtime runs too, where it is installed; none has to be.

    Attributes:
        second_runtime: its name.
        second_runs_with: the import that it needs.
    """

    second_runtime: ClassVar[str]
    second_runs_with: ClassVar[str]

    def second_session(self, path: Path, threads: int = 1) -> Session:
        """Loads a file into the second runtime; runs in a child process."""
        ...


def load_exporter(name: str) -> Exporter:
    """The exporter of a format.

    Raises:
        UsageError: there is none; the nearest name is suggested.
    """
    return plugins.load("exporters", name)()


def runtime_of(exporter: Exporter, path: Path) -> Runtime:
    """What runs a file: the exporter's own runtime, or that of the target the file names.

    Raises:
        MissingExtraError: what reads the file is not installed.
    """
    target = None
    if isinstance(exporter, Targeted):
        require(exporter, exporter.runs_with, f"Reading {path.name}")
        with suppress(TinysegError):  # of a file that says nothing about itself
            target = exporter.contents(path).target
    return _runtime(exporter, target)


def require_target(exporter: Exporter, options: ExportOptions, what: str) -> None:
    """Checks that a target's runtime is installed.

    Raises:
        MissingExtraError: it is not.
    """
    if options.target is None or not isinstance(exporter, Targeted):
        return
    require_runtime(_runtime(exporter, options.target), what)


def _runtime(exporter: Exporter, target: str | None) -> Runtime:
    if target and isinstance(exporter, Targeted):
        return exporter.runtime_for(target)
    return Runtime(exporter.runtime, exporter.runs_with, exporter.extra or exporter.name)


def require_runtime(runtime: Runtime, what: str) -> None:
    """Checks that what runs a file is installed, without importing it.

    Raises:
        MissingExtraError: it is not.
    """
    _require(runtime.packages, what, runtime.extra)


def require(exporter: Exporter, packages: tuple[str, ...], what: str) -> None:
    """Checks that packages are installed, without importing them.

    Raises:
        MissingExtraError: one is not.
    """
    _require(packages, what, exporter.extra or exporter.name)


def _require(packages: tuple[str, ...], what: str, extra: str) -> None:
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtraError(what, package, extra)
