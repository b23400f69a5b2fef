"""Is an artifact as good as its run? Dice of both on the same pictures."""

from tinyseg.evaluation import ImageCounts, dice, difference, headline, score
from tinyseg.runs.records import Accuracy


def accuracy(own: ImageCounts, found: ImageCounts, *, groups_are_volumes: bool) -> Accuracy:
    """Headline Dice of an artifact beside its run's, with the paired difference.

    Args:
        own: the run's counts.
        found: the artifact's, of the same images.
        groups_are_volumes: whether Dice over volumes is the headline.
    """
    measure, mean = headline(score(found, dice, groups_are_volumes=groups_are_volumes))
    _, run_mean = headline(score(own, dice, groups_are_volumes=groups_are_volumes))
    gap = difference(found, own, groups_are_volumes=groups_are_volumes)
    return Accuracy(
        measure=measure,
        dice=mean.mean,
        run_dice=run_mean.mean,
        difference=gap.mean,
        ci95=gap.ci95,
        images=len(found.keys),
    )
