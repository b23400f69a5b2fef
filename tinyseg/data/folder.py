"""Any pictures with masks: ``images/`` and ``masks/``."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from tinyseg.data.pairs import Pair, PairedFiles
from tinyseg.data.pictures import ENDINGS
from tinyseg.runs.records import Problem


class FolderDataset(PairedFiles):
    """A folder with ``images/`` and ``masks/``.

    A mask is called as its picture, or so with a suffix that all masks share, such as
    ``_segmentation``; the formats may differ. Every picture is a group of its own.

    Masks mark one class, everything above 0, unless a ``classes.txt`` beside the folders names
    several, a line each; then masks hold labels, the n-th class as n (`read_labels`).
    """

    kind: ClassVar[str] = "folder"
    layout: ClassVar[str | None] = (
        "images/NAME.png with masks/NAME.png or masks/NAME_SUFFIX.png, and classes.txt where masks "
        "tell several classes apart"
    )
    classes: Sequence[str] = ("foreground",)
    classes_file: ClassVar[str | None] = "classes.txt"
    channels = 3
    groups_are_volumes = False
    threshold_channel: int | None = None

    @classmethod
    def recognises(cls, folder: Path) -> bool:
        """Whether a folder has ``images/`` and ``masks/``."""
        return (folder / "images").is_dir() and (folder / "masks").is_dir()

    @classmethod
    def list_files(cls, folder: Path) -> tuple[list[Pair], list[Problem]]:
        """Pairs pictures and masks by name."""
        images, image_problems = _by_stem(folder / "images")
        masks, mask_problems = _by_stem(folder / "masks")
        suffix = _mask_suffix(images, masks)
        pairs = [
            Pair(stem, stem, path, masks[stem + suffix])
            for stem, path in images.items()
            if stem + suffix in masks
        ]
        paired = {pair.mask for pair in pairs}
        problems = [
            *image_problems,
            *mask_problems,
            *(Problem.error(images[s], "has no mask") for s in images if s + suffix not in masks),
            *(
                Problem.error(path, "is a mask without a picture")
                for path in masks.values()
                if path not in paired
            ),
        ]
        return pairs, problems


def _by_stem(folder: Path) -> tuple[dict[str, Path], list[Problem]]:
    """Picture files by name without ending, sorted, and what is wrong with the others."""
    if not folder.is_dir():
        return {}, [Problem.error(folder, "is missing")]
    files: dict[str, Path] = {}
    problems: list[Problem] = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in ENDINGS:
            problems.append(Problem.ignored(path))
            continue
        other = files.setdefault(path.stem, path)
        if other != path:
            problems.append(Problem.error(path, f"is called as {other.name}, up to its ending"))
    if not files:
        problems.append(Problem.error(folder, "holds no picture"))
    return files, problems


def _mask_suffix(images: Iterable[str], masks: Iterable[str]) -> str:
    """What most masks add to their picture's name; the shortest such, often nothing."""
    stems = set(images)
    suffixes = Counter(
        mask[end:] for mask in masks for end in range(1, len(mask) + 1) if mask[:end] in stems
    )
    if not suffixes:
        return ""
    return max(suffixes, key=lambda suffix: (suffixes[suffix], -len(suffix)))
