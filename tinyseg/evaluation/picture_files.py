"""Which picture files are predicted, and where their masks go."""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tinyseg.errors import TinysegError, UsageError


class PictureFile(NamedTuple):
    """A picture and what is written for it; ``overlay`` only where one is wanted."""

    picture: Path
    mask: Path
    overlay: Path | None


def find_pictures(paths: Sequence[Path], out: Path, *, overlay: bool = False) -> list[PictureFile]:
    """Lists pictures (`list_pictures`) and where their masks go.

    A mask is called as its picture, with the ending ``.png``, and lies below ``out`` as the picture
    lies below the innermost folder that holds everything named.

    Args:
        paths: pictures and folders.
        out: the folder to write into.
        overlay: whether a ``NAME_overlay.png`` is wanted beside each mask.

    Raises:
        TinysegError: something named is not there, no picture, or a folder without pictures.
        UsageError: an output would lie among the pictures, or two outputs have the same name.
    """
    root = Path(os.path.commonpath([p if p.is_dir() else p.parent for p in map(_absolute, paths)]))
    files: list[PictureFile] = []
    for picture in list_pictures(paths, out):
        mask = out / _absolute(picture).relative_to(root).with_suffix(".png")
        beside = mask.with_name(f"{mask.stem}_overlay.png") if overlay else None
        files.append(PictureFile(picture, mask, beside))
    _check_outputs(files)
    return files


def list_pictures(paths: Sequence[Path], out: Path) -> list[Path]:
    """Lists pictures, those in folders and all folders below them included, each once.

    Of a folder, what is hidden, what lies below ``out``, and masks are left out: files
    ``NAME_mask`` beside a picture ``NAME``, and folders ``masks`` beside ``images``.

    Raises:
        TinysegError: something named is not there, no picture, or a folder without pictures.
    """
    pictures: dict[Path, Path] = {}  # as they are called, by where they are
    for path in paths:
        found = [path] if path.is_file() else list(_below(path, out))
        _check_found(path, found)
        pictures.update((_absolute(picture), picture) for picture in found)
    return list(pictures.values())


def _below(folder: Path, out: Path) -> Iterator[Path]:
    from tinyseg.data.pictures import ENDINGS

    if not folder.is_dir():
        raise TinysegError(f"There is no picture or folder '{folder}'.")
    seen: set[Path] = set()  # links may lead back
    for place, folders, names in os.walk(folder, followlinks=True):
        if Path(place).resolve() in seen:
            folders.clear()
            continue
        seen.add(Path(place).resolve())
        folders[:] = sorted(name for name in folders if _is_searched(Path(place, name), out))
        pictures = sorted(name for name in names if Path(name).suffix.lower() in ENDINGS)
        stems = {Path(name).stem for name in pictures}
        for name in pictures:
            stem = Path(name).stem
            is_mask = stem.endswith("_mask") and stem.removesuffix("_mask") in stems
            if not name.startswith(".") and not is_mask:
                yield Path(place, name)


def _is_searched(folder: Path, out: Path) -> bool:
    holds_masks = folder.name == "masks" and (folder.parent / "images").is_dir()
    return not (folder.name.startswith(".") or holds_masks or _absolute(folder) == _absolute(out))


def _check_found(path: Path, found: Sequence[Path]) -> None:
    from tinyseg.data.pictures import ENDINGS

    wrong = [picture for picture in found if picture.suffix.lower() not in ENDINGS]
    if wrong:
        raise TinysegError(
            f"{path} is no picture that can be read; endings are {', '.join(sorted(ENDINGS))}."
        )
    if not found:
        raise TinysegError(
            f"The folder '{path}' holds no pictures.",
            f"Pictures end in {', '.join(sorted(ENDINGS))}.",
        )


def _check_outputs(files: Sequence[PictureFile]) -> None:
    """Nothing may lie among the pictures, where it could replace one, nor replace another."""
    pictures = [file.picture for file in files]
    sources = {folder for p in pictures for folder in (p.parent.resolve(), p.resolve().parent)}
    among = [file for file in files if file.mask.parent.resolve() in sources]
    if among:
        raise UsageError(
            f"The mask of {among[0].picture} would lie among the pictures, as {among[0].mask}.",
            "Name another folder by --out.",
        )
    origins: dict[Path, list[Path]] = defaultdict(list)
    for file in files:
        for output in filter(None, (file.mask, file.overlay)):
            origins[output].append(file.picture)
    for output, pictures in origins.items():
        if len(pictures) > 1:
            raise UsageError(
                f"{' and '.join(map(str, pictures))} would both be written as {output}.",
                "Predict them one by one, each into a folder of its own.",
            )


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100  (keeps links, which resolve() follows)
