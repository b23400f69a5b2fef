"""Files that belong to an artifact, in formats that keep weights apart from the graph."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    from tinyseg.exporters.base import Exporter

FAILED = ".failed"


@runtime_checkable
class Accompanied(Protocol):
    """An exporter that writes more than one file; none has to.

    Attributes:
        beside: endings of the others, each in place of ``suffix``.
    """

    beside: ClassVar[tuple[str, ...]]


def companions(exporter: "Exporter", artifact: Path) -> Mapping[str, Path]:
    """Where the files that belong to an artifact lie, by their endings."""
    endings = exporter.beside if isinstance(exporter, Accompanied) else ()
    return {ending: companion(artifact, ending) for ending in endings}


def companion(artifact: Path, ending: str) -> Path:
    """Where the file with one ending lies; that of ``a.xml.failed`` is ``a.bin.failed``."""
    name = artifact.name.removesuffix(FAILED)
    failed = artifact.name[len(name) :]
    return artifact.with_name(Path(name).stem + ending + failed)


def size(exporter: "Exporter", artifact: Path) -> int:
    """Bytes of an artifact and of what belongs to it."""
    return sum(path.stat().st_size for path in (artifact, *companions(exporter, artifact).values()))
