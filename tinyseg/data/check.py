"""Everything that is wrong with a dataset, at once."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tinyseg.data.check_masks import MaskLook, absent_classes, look_at_mask, unnamed_classes
from tinyseg.data.check_samples import check_samples
from tinyseg.data.pairs import Pair, PairedFiles
from tinyseg.data.pictures import read_image
from tinyseg.data.sample import Dataset
from tinyseg.data.sources import UnknownFolderError, find_kind
from tinyseg.errors import TinysegError, UsageError
from tinyseg.progress import Progress, silent
from tinyseg.runs.records import CheckDocument, Problem

_SEVERITIES = ("error", "warning", "note")


@dataclass
class _Findings:
    """What reading a picture and its mask showed."""

    pair: Pair
    problems: list[Problem] = field(default_factory=list[Problem])
    digest: str | None = None
    size: tuple[int, int] | None = None
    equal_channels: bool = False
    mask: MaskLook = field(default_factory=MaskLook)


def check_data(text: str, progress: Progress = silent) -> CheckDocument:
    """Reads every file of a dataset and lists all problems, errors first.

    An error keeps a picture from being used; a warning should be looked at; a note may explain what
    is seen later. Folders that cannot be opened at all can be checked too.

    Args:
        text: what `open_dataset` takes.
        progress: told after every picture.

    Raises:
        TinysegError: the folder is missing, or of several kinds.
        UsageError: no such kind.
    """
    try:
        kind, source = find_kind(text)
    except UnknownFolderError as error:
        return CheckDocument(source=text, images=0, problems=[_unknown(text, error)])
    if issubclass(kind, PairedFiles):
        return _check_folder(kind, Path(source).resolve(), progress)
    return _check_samples(kind, text, source, progress)


def _unknown(folder: str, error: TinysegError) -> Problem:
    if not any(Path(folder).iterdir()):
        return Problem.error(folder, "is empty")
    return Problem.error(
        folder, f"is of no known kind. {error.mend} To check it as one, say KIND:FOLDER."
    )


def _check_folder(kind: type[PairedFiles], folder: Path, progress: Progress) -> CheckDocument:
    pairs, problems = kind.list_files(folder)
    if not pairs:
        problems.append(Problem.error(folder, "holds no picture with a mask"))
    classes = _class_names(kind, folder, problems)
    findings: list[_Findings] = []

    def look(pair: Pair) -> _Findings:
        return _look(pair, classes)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, found in enumerate(pool.map(look, pairs), start=1):
            findings.append(found)
            progress("Reading pictures", done, len(pairs), "")
    for found in findings:
        problems += found.problems
    problems += _repeated(findings)
    if classes is not None:
        problems += _masks(kind, folder, classes, findings)
    if getattr(kind, "groups_are_volumes", False):
        problems += _volumes(findings)
    return CheckDocument(
        source=f"{kind.kind}:{folder}", images=len(pairs), problems=_worst_first(problems)
    )


def _check_samples(
    kind: type[Dataset], text: str, source: str, progress: Progress
) -> CheckDocument:
    """Datasets that are no pairs of files; one that cannot be opened has that one problem."""
    try:
        dataset = kind.from_source(source)
        keys = dataset.keys
    except UsageError:
        raise
    except TinysegError as error:
        where = text if kind.layout is None else f"{kind.kind}:{Path(source).resolve()}"
        problem = Problem.error(where, f"cannot be read. {error}")
        return CheckDocument(source=where, images=0, problems=[problem])
    problems = check_samples(dataset, progress)
    return CheckDocument(source=dataset.source, images=len(keys), problems=_worst_first(problems))


def _class_names(
    kind: type[PairedFiles], folder: Path, problems: list[Problem]
) -> Sequence[str] | None:
    """The classes that masks tell apart; None, and a problem, where that cannot be known."""
    try:
        return kind.class_names(folder)
    except TinysegError as error:
        where = folder / (kind.classes_file or "")
        problems.append(Problem.error(where, f"{error} Until then no mask is looked at."))
        return None


def _masks(
    kind: type[PairedFiles], folder: Path, classes: Sequence[str], findings: Sequence[_Findings]
) -> Iterable[Problem]:
    """What is odd about all masks together."""
    looks = {found.pair.mask: found.mask for found in findings}
    if findings and not any(look.has_foreground for look in looks.values()):
        yield Problem.warning(folder, "has no mask with any foreground")
    if kind.classes_file is None:
        return
    names = folder / kind.classes_file
    if names.exists():
        yield from absent_classes(names, classes, looks)
    else:
        yield from unnamed_classes(names, looks)


def _look(pair: Pair, classes: Sequence[str] | None) -> _Findings:
    """Reads a picture and its mask; both are looked at, also where one is broken."""
    found = _Findings(pair)
    try:
        image = read_image(pair.image)
    except TinysegError as error:
        found.problems.append(Problem.error(pair.image, error.message))
    else:
        height, width = image.shape[:2]
        found.size = height, width
        found.equal_channels = bool((image == image[:, :, :1]).all())
        found.digest = hashlib.sha256(pair.image.read_bytes()).hexdigest()
    if classes is not None:
        found.mask = look_at_mask(pair.mask, len(classes), found.size)
        found.problems += found.mask.problems
    return found


def _repeated(findings: Sequence[_Findings]) -> Iterable[Problem]:
    """Pictures whose files are equal, byte by byte."""
    first: dict[str, Pair] = {}
    for found in findings:
        if found.digest is None:
            continue
        other = first.setdefault(found.digest, found.pair)
        if other.key == found.pair.key:
            continue
        apart = ", in another group: a split may put them apart"
        yield Problem.warning(
            found.pair.image,
            f"is the same picture as {other.image.name}"
            + (apart if other.group != found.pair.group else ""),
        )


def _volumes(findings: Sequence[_Findings]) -> Iterable[Problem]:
    """What is odd about whole volumes."""
    volumes: dict[str, list[_Findings]] = defaultdict(list)
    for found in findings:
        if found.size is not None:
            volumes[found.pair.group].append(found)
    for members in volumes.values():
        where = members[0].pair.image.parent
        sizes = sorted(
            {f"{width}x{height}" for height, width in (m.size for m in members if m.size)}
        )
        if len(sizes) > 1:
            yield Problem.warning(where, f"has slices of several sizes: {', '.join(sizes)}")
        if not any(member.mask.has_foreground for member in members):
            yield Problem.note(where, "has no slice with foreground")
        if all(member.equal_channels for member in members):
            yield Problem.note(where, "has three equal channels: one sequence, repeated")


def _worst_first(problems: Sequence[Problem]) -> list[Problem]:
    return sorted(
        problems, key=lambda problem: (_SEVERITIES.index(problem.severity), problem.where)
    )
