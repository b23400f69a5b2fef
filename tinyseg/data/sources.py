"""From what a user types after ``--data`` to a dataset."""

import difflib
from pathlib import Path

from tinyseg import plugins
from tinyseg.data.sample import Dataset
from tinyseg.errors import TinysegError, UsageError


class UnknownFolderError(TinysegError):
    """A folder of no known kind."""


def open_dataset(text: str) -> Dataset:
    """Opens a dataset; pictures are read later, one by one.

    Args:
        text: ``phantom``, ``KIND:FOLDER``, or a folder whose kind is recognised.

    Raises:
        UsageError: no such kind, or a kind that needs a folder without one.
        TinysegError: the folder is missing, of no known kind, or of several.
    """
    dataset, source = find_kind(text)
    return dataset.from_source(source)


def find_kind(text: str) -> tuple[type[Dataset], str]:
    """The kind of dataset that a text names, and what is left to open it with.

    Raises:
        UsageError: no such kind, or a kind that needs a folder without one.
        UnknownFolderError: a folder of no known kind.
        TinysegError: the folder is missing, or of several kinds.
    """
    if text in plugins.names("datasets") and _type(text).layout is None:
        return _type(text), ""
    if Path(text).is_dir():
        return _recognised(Path(text)), text
    kind, colon, source = text.partition(":")
    if not colon and kind in plugins.names("datasets"):
        raise UsageError(f"Data of the kind {kind} needs a folder.", f"Such as {kind}:FOLDER")
    if not colon:
        raise TinysegError(f"There is no folder '{text}'.", _near(text))
    dataset = _type(kind)
    if dataset.layout is not None and not Path(source).is_dir():
        raise TinysegError(f"There is no folder '{source}'.", _near(source))
    return dataset, source


def _type(kind: str) -> type[Dataset]:
    return plugins.load("datasets", kind)


def _recognised(folder: Path) -> type[Dataset]:
    """The one kind that takes a folder for its own."""
    broken: list[str] = []
    kinds: list[str] = []
    for kind in plugins.names("datasets"):
        try:
            if _type(kind).recognises(folder):
                kinds.append(kind)
        except TinysegError as error:  # somebody's package is broken: the others still count
            broken.append(error.message)
    if not kinds:
        layouts = "; ".join(f"{kind}: {layout}" for kind, layout in layouts_by_kind().items())
        raise UnknownFolderError(
            " ".join([f"The folder '{folder}' is of no known kind.", *broken]),
            f"Known layouts are {layouts}.",
        )
    if len(kinds) > 1:
        raise UsageError(
            f"The folder '{folder}' could be of the kinds {' and '.join(kinds)}.",
            f"Say which, such as {kinds[0]}:{folder}",
        )
    return _type(kinds[0])


def layouts_by_kind() -> dict[str, str]:
    """What a folder looks like, by kind; kinds that need none or are broken are left out."""
    layouts: dict[str, str] = {}
    for kind in plugins.names("datasets"):
        try:
            layout = _type(kind).layout
        except TinysegError:
            continue
        if layout is not None:
            layouts[kind] = layout
    return layouts


def _near(text: str) -> str:
    """The nearest name: a kind, or a folder beside the missing one."""
    path = Path(text)
    beside = [entry for entry in path.parent.glob("*") if entry.is_dir()]
    names = {entry.name: str(entry) for entry in beside}
    if path.parent == Path():
        names.update((kind, kind) for kind in plugins.names("datasets"))
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.6)
    if near:
        return f"Did you mean '{names[near[0]]}'?"
    return "Name a folder of pictures with masks or classes, or 'phantom' for synthetic volumes."
