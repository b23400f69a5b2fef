"""Subjects that were trained: runs, and files exported from them."""

from pathlib import Path
from typing import TYPE_CHECKING

from tinyseg.errors import UsageError

if TYPE_CHECKING:
    from tinyseg.exporters import Subject


def resolve_trained(text: str, runs: Path) -> "Subject":
    """Resolves a subject that has weights worth scoring.

    Raises:
        UsageError: it is nothing known, or a network's name, which stands for fresh weights.
    """
    from tinyseg.exporters import resolve

    subject = resolve(text, runs=runs)
    if subject.run is None and subject.artifact is None:
        raise UsageError(
            f"{text} is a network's name, which stands for fresh weights that learnt nothing.",
            f"Train it first: tinyseg train --model {text} --data phantom",
        )
    return subject


def chosen_threshold(subject: "Subject", threshold: float | None) -> float:
    """The threshold that was asked for, or the subject's own.

    Raises:
        UsageError: one was asked for where several classes compete.
    """
    if threshold is None:
        return subject.threshold
    if subject.task == "classification" or len(subject.classes) > 1:
        raise UsageError(
            f"{subject.name} tells {len(subject.classes)} classes apart, of which the most "
            "probable wins whatever the --threshold.",
            "Leave it out.",
        )
    return threshold


def pictures_a_call(subject: "Subject") -> int:
    """How many pictures its predictor takes at once.

    Every call of an artifact's runtime is a process of its own, which takes as long to start as
    some tens of inferences.
    """
    return 64 if subject.artifact else 16
