"""The one way in for networks, datasets, exporters and devices: entry points.

Built-in ones are declared in this package's own metadata and come through the same door as
anybody else's.
"""

import difflib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from tinyseg.errors import TinysegError, UsageError

Kind = Literal["networks", "datasets", "exporters", "devices"]


@cache
def found(kind: Kind) -> dict[str, EntryPoint]:
    """Entry points of a kind by name, sorted; nothing is imported.

    Raises:
        TinysegError: two packages offer the same name.
    """
    points: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=f"tinyseg.{kind}"), key=lambda point: point.name):
        other = points.setdefault(point.name, point)
        if other.value != point.value:
            raise TinysegError(
                f"Two packages offer {kind} named '{point.name}': {other.value} and {point.value}.",
                "Uninstall one of them.",
            )
    return points


def names(kind: Kind) -> list[str]:
    """Names of a kind, sorted."""
    return list(found(kind))


def load(kind: Kind, name: str) -> Any:
    """The object registered under a name.

    Raises:
        UsageError: there is no such name; the nearest one is suggested.
        TinysegError: the package that offers it cannot be imported.
    """
    points = found(kind)
    if name not in points:
        near = difflib.get_close_matches(name, points, n=1, cutoff=0.5)
        hint = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(points)}."
        raise UsageError(f"No {kind.removesuffix('s')} is called '{name}'.", hint)
    try:
        return points[name].load()
    except (ImportError, AttributeError) as error:
        raise TinysegError(
            f"The {kind.removesuffix('s')} '{name}' ({points[name].value}) cannot be imported: "
            f"{error}.",
            "Reinstall or uninstall the package that offers it.",
        ) from error
