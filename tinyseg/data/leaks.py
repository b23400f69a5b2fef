"""What a split that tears groups apart gives away."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tinyseg.data.measures import mask_dice
from tinyseg.data.sample import Dataset
from tinyseg.runs.records import Leak, SplitRecord

_SCORED: tuple[Literal["validation", "test"], ...] = ("validation", "test")


def audit_leaks(
    dataset: Dataset, split: SplitRecord, masks: Mapping[str, NDArray[np.uint8]]
) -> list[Leak]:
    """The leaks from the training part into the validation and test parts; empty if there is none.

    Args:
        dataset: what was split.
        split: the split.
        masks: the mask of each key, all of one size within a group; everything above 0 is
            foreground, of whichever class it is.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for key in dataset.keys:
        groups[dataset.group(key)].append(key)
    training = set(split.train)
    leaks = (_audit(part, split.keys(part), groups, training, masks) for part in _SCORED)
    return [leak for leak in leaks if leak.shared_groups]


def _audit(
    part: Literal["validation", "test"],
    keys: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    training: set[str],
    masks: Mapping[str, NDArray[np.uint8]],
) -> Leak:
    scored = set(keys)
    torn = 0
    dice: list[float] = []
    members = [volume for volume in groups.values() if not scored.isdisjoint(volume)]
    for volume in members:
        known = [place for place, key in enumerate(volume) if key in training]
        torn += bool(known)
        dice += _neighbours(volume, known, scored, masks)
    return Leak(
        part=part,
        groups=len(members),
        shared_groups=torn,
        neighbour_dice_median=float(np.median(dice)) if dice else None,
        pictures=len(dice),
    )


def _neighbours(
    volume: Sequence[str],
    known: Sequence[int],
    scored: set[str],
    masks: Mapping[str, NDArray[np.uint8]],
) -> list[float]:
    """Dice of the nearest known slice's mask, for the scored slices of a volume with foreground."""
    dice: list[float] = []
    for place, key in enumerate(volume):
        if known and key in scored and masks[key].any():
            nearest = min(known, key=lambda other: abs(other - place))
            dice.append(mask_dice(masks[key], masks[volume[nearest]]) or 0.0)
    return dice
