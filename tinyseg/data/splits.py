"""Which pictures train, which choose the best epoch, which are scored."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from tinyseg.data.sample import Dataset
from tinyseg.errors import UsageError
from tinyseg.runs.records import Part, SplitRecord


def make_split(
    dataset: Dataset,
    strata: Mapping[str, int],
    *,
    by: Literal["patient", "image"],
    seed: int,
    validation_share: float,
    test_share: float,
) -> SplitRecord:
    """Splits a dataset, by its groups or picture by picture, stratified.

    Groups (or pictures) of each stratum are shuffled apart, from their sorted names, so that the
    order of the files does not matter. A test part that the dataset has of its own stays what it
    is. No part is ever empty.

    Args:
        dataset: what is split.
        strata: the stratum of each key, such as whether its mask has any foreground; a group has
            the highest of its keys'.
        by: ``patient`` keeps every group whole.
        seed: of the shuffle.
        validation_share: share for validation of the groups (or pictures) that are not the
            dataset's own test part, above 0.
        test_share: share for the test where the dataset has no such part, above 0.

    Raises:
        UsageError: shares that leave nothing to a part, or fewer than three groups.
    """
    _check_shares(validation_share, test_share)
    units = {key: dataset.group(key) if by == "patient" else key for key in dataset.keys}
    fixed = {units[key] for key in dataset.test_keys}
    of_units: dict[str, int] = {}
    for key, unit in units.items():
        if unit not in fixed:
            of_units[unit] = max(of_units.get(unit, strata[key]), strata[key])
    shares = (validation_share, 0 if fixed else test_share)
    parts = _assign(of_units, np.random.default_rng(seed), *shares) | dict.fromkeys(fixed, "test")
    return SplitRecord(
        by=by,
        seed=seed,
        validation_share=validation_share,
        test_share=len(fixed) / len(units) if fixed else test_share,
        train=[key for key in dataset.keys if units[key] not in parts],
        validation=[key for key in dataset.keys if parts.get(units[key]) == "validation"],
        test=[key for key in dataset.keys if parts.get(units[key]) == "test"],
    )


def _check_shares(validation: float, test: float) -> None:
    if min(validation, test) <= 0 or validation + test >= 1:
        raise UsageError(
            f"Shares of {validation:g} (validation) and {test:g} (test) leave a part empty.",
            "Both should be above 0, and together below 1.",
        )


def _assign(
    strata: Mapping[str, int],
    random: np.random.Generator,
    validation_share: float,
    test_share: float,
) -> dict[str, Part]:
    """The part of each unit that does not train.

    Units stand in one row, the highest stratum first, each shuffled; places at even distances leave
    it, so that every part gets its share of all strata.
    """
    members: dict[int, list[str]] = {stratum: [] for stratum in sorted(strata.values())[::-1]}
    for unit in sorted(strata):
        members[strata[unit]].append(unit)
    row = [unit for units in members.values() for unit in random.permutation(units)]
    validation = max(1, round(len(row) * validation_share))
    test = max(1, round(len(row) * test_share)) if test_share else 0
    if validation + test >= len(row):
        raise UsageError(
            f"{len(row)} groups or pictures are too few for shares of "
            f"{validation_share:g} and {test_share:g} and a training part.",
            "Use more data, or smaller shares.",
        )
    leaving = [str(row[place]) for place in _spread(validation + test, len(row))]
    tested = {leaving[place] for place in _spread(test, len(leaving))} if test else set[str]()
    return {unit: "test" if unit in tested else "validation" for unit in leaving}


def _spread(count: int, length: int) -> list[int]:
    """``count`` places at even distances in a row of ``length``, all different."""
    return [int((place + 0.5) * length / count) for place in range(count)]
