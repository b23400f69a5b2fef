"""What is wrong with the pictures of a dataset that is no pairs of files."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from tinyseg.data.sample import Dataset, Sample
from tinyseg.errors import TinysegError
from tinyseg.progress import Progress, silent
from tinyseg.runs.records import Problem


@dataclass
class _Seen:
    """What the pictures read so far showed.

    Attributes:
        first: key and label of the first picture with the same pixels, by their digest.
        train: labels that are in what is trained and validated on.
        test: labels in the dataset's own test part.
    """

    first: dict[bytes, tuple[str, int]] = field(default_factory=dict[bytes, tuple[str, int]])
    train: set[int] = field(default_factory=set[int])
    test: set[int] = field(default_factory=set[int])


def check_samples(dataset: Dataset, progress: Progress = silent) -> list[Problem]:
    """Reads every picture.

    Of whole pictures with classes it also tells those that are there twice, of which a test part
    may have one, and classes without a picture.
    """
    problems: list[Problem] = []
    seen, tested = _Seen(), set(dataset.test_keys)
    for done, key in enumerate(dataset.keys, start=1):
        try:
            sample = dataset.read(key)
        except TinysegError as error:
            problems.append(Problem.error(key, error.message))
        else:
            if dataset.task == "classification":
                problems += _look(sample, dataset, tested, seen)
            elif sample.image.shape[:2] != sample.labels.shape:
                problems.append(Problem.error(key, "has a mask of another size"))
        progress("Reading pictures", done, len(dataset.keys), "")
    if dataset.task == "classification":
        problems += _absent(dataset, seen)
    return problems


def _look(sample: Sample, dataset: Dataset, tested: set[str], seen: _Seen) -> Iterable[Problem]:
    """Whether a picture has one class, and is there for the first time."""
    if sample.labels.shape or sample.labels >= len(dataset.classes):
        what = f"should have one label below {len(dataset.classes)}, the number of classes"
        return [Problem.error(sample.key, what)]
    label = int(sample.labels)
    (seen.test if sample.key in tested else seen.train).add(label)
    digest = hashlib.sha256(repr(sample.image.shape).encode() + sample.image.tobytes()).digest()
    other, its_label = seen.first.setdefault(digest, (sample.key, label))
    if other == sample.key:
        return []
    what = f"has the same pixels as {other}"
    apart = (other in tested) != (sample.key in tested)
    if apart:
        what += ": one is in the test part, the other is not"
    if label != its_label:
        what += f"; their classes are {dataset.classes[label]} and {dataset.classes[its_label]}"
    problem = Problem.warning if apart or label != its_label else Problem.note
    return [problem(sample.key, what)]


def _absent(dataset: Dataset, seen: _Seen) -> Iterable[Problem]:
    """Classes that nothing can be learnt, or shown, about."""
    untrained = _names(dataset, seen.train)
    if untrained:
        where = " outside the test part" if dataset.test_keys else ""
        yield Problem.warning(dataset.source, f"has no picture{where} of: {untrained}")
    untested = _names(dataset, seen.test)
    if untested and dataset.test_keys:
        yield Problem.note(dataset.source, f"has no picture in the test part of: {untested}")


def _names(dataset: Dataset, there: set[int]) -> str:
    return ", ".join(name for label, name in enumerate(dataset.classes) if label not in there)
