"""Is an artifact as good as its run? Scores of both on the same pictures."""

from typing import Any

from tinyseg.evaluation import Table, difference, mean
from tinyseg.runs.records import Accuracy, DiceKept, TopKept


def accuracy(
    own: Table, found: Table, *, groups_are_volumes: bool, largest_drop: float
) -> Accuracy:
    """The headline of an artifact beside its run's, with the paired difference.

    Args:
        own: the run's table.
        found: the artifact's, of the same images.
        groups_are_volumes: whether Dice over volumes is the headline.
        largest_drop: of the mean that passes.
    """
    measure, of_artifact = mean(found, groups_are_volumes=groups_are_volumes)
    _, of_run = mean(own, groups_are_volumes=groups_are_volumes)
    gap = difference(found, own, groups_are_volumes=groups_are_volumes)
    kept: dict[str, Any] = {
        "passed": gap.mean >= -largest_drop,
        "difference": gap.mean,
        "ci95": gap.ci95,
        "images": len(found.keys),
    }
    if measure == "top1":
        return TopKept(measure=measure, top1=of_artifact.mean, run_top1=of_run.mean, **kept)
    return DiceKept(measure=measure, dice=of_artifact.mean, run_dice=of_run.mean, **kept)
