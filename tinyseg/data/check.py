"""Everything that is wrong with a dataset, at once."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tinyseg.data.check_samples import check_samples
from tinyseg.data.pairs import Pair, PairedFiles
from tinyseg.data.pictures import mask_levels, read_image, read_mask
from tinyseg.data.sample import Dataset
from tinyseg.data.sources import UnknownFolderError, find_kind
from tinyseg.errors import TinysegError, UsageError
from tinyseg.progress import Progress, silent
from tinyseg.runs.records import CheckDocument, Problem

_SEVERITIES = ("error", "warning", "note")
_LEVELS = 2  # a mask has two grey values


@dataclass
class _Findings:
    """What reading a picture and its mask showed."""

    pair: Pair
    problems: list[Problem] = field(default_factory=list[Problem])
    digest: str | None = None
    size: tuple[int, int] | None = None
    has_foreground: bool = False
    equal_channels: bool = False


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
    findings: list[_Findings] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, found in enumerate(pool.map(_look, pairs), start=1):
            findings.append(found)
            progress("Reading pictures", done, len(pairs), "")
    for found in findings:
        problems += found.problems
    problems += _repeated(findings)
    if findings and not any(found.has_foreground for found in findings):
        problems.append(Problem.warning(folder, "has no mask with any foreground"))
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


def _look(pair: Pair) -> _Findings:
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
    _look_at_mask(pair, found)
    return found


def _look_at_mask(pair: Pair, found: _Findings) -> None:
    try:
        levels, mask = mask_levels(pair.mask), read_mask(pair.mask)
    except TinysegError as error:
        found.problems.append(Problem.error(pair.mask, error.message))
        return
    found.has_foreground = bool(mask.any())
    values = np.unique(levels)
    if len(values) > _LEVELS:
        found.problems.append(
            Problem.warning(
                pair.mask,
                f"has {len(values)} grey values from {values[0]} to {values[-1]} where two are "
                f"expected; {mask.mean():.1%} of it counts as foreground",
            )
        )
    elif mask.all():
        found.problems.append(Problem.warning(pair.mask, "marks the whole picture"))
    elif values.max() > 0 and not mask.any():
        found.problems.append(
            Problem.warning(pair.mask, f"is nearly black (up to {values[-1]}): no foreground")
        )
    if found.size is not None and found.size != mask.shape:
        found.problems.append(
            Problem.error(
                pair.mask,
                f"is {mask.shape[1]}x{mask.shape[0]} pixels, its picture "
                f"{found.size[1]}x{found.size[0]}",
            )
        )


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
        if not any(member.has_foreground for member in members):
            yield Problem.note(where, "has no slice with foreground")
        if all(member.equal_channels for member in members):
            yield Problem.note(where, "has three equal channels: one sequence, repeated")


def _worst_first(problems: Sequence[Problem]) -> list[Problem]:
    return sorted(
        problems, key=lambda problem: (_SEVERITIES.index(problem.severity), problem.where)
    )
