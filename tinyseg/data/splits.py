"""Which pictures train, which choose the best epoch, which are scored."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from tinyseg.data.sample import Dataset
from tinyseg.errors import UsageError
from tinyseg.runs.records import Part, SplitRecord


def make_split(
    dataset: Dataset,
    has_foreground: Mapping[str, bool],
    *,
    by: Literal["patient", "image"],
    seed: int,
    validation_share: float,
    test_share: float,
) -> SplitRecord:
    """Splits a dataset, by its groups or picture by picture, stratified by foreground.

    Groups (or pictures) with any foreground and those without are shuffled apart, from their sorted
    names, so that the order of the files does not matter. No part is ever empty.

    Args:
        dataset: what is split.
        has_foreground: for each key, whether its mask has any foreground.
        by: ``patient`` keeps every group whole.
        seed: of the shuffle.
        validation_share: share of the groups (or pictures) for validation, above 0.
        test_share: share for the test, above 0.

    Raises:
        UsageError: shares that leave nothing to a part, or fewer than three groups.
    """
    _check_shares(validation_share, test_share)
    units = {key: dataset.group(key) if by == "patient" else key for key in dataset.keys}
    positive = {units[key] for key in dataset.keys if has_foreground[key]}
    parts = _assign(
        sorted(positive),
        sorted(set(units.values()) - positive),
        np.random.default_rng(seed),
        validation_share,
        test_share,
    )
    return SplitRecord(
        by=by,
        seed=seed,
        validation_share=validation_share,
        test_share=test_share,
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
    positive: Sequence[str],
    negative: Sequence[str],
    random: np.random.Generator,
    validation_share: float,
    test_share: float,
) -> dict[str, Part]:
    """The part of each unit that does not train.

    Units stand in one row, those with foreground first, each kind shuffled; places at even
    distances leave it, so that every part gets its share of both kinds.
    """
    row = [*random.permutation(positive), *random.permutation(negative)]
    validation = max(1, round(len(row) * validation_share))
    test = max(1, round(len(row) * test_share))
    if validation + test >= len(row):
        raise UsageError(
            f"{len(row)} groups or pictures are too few for shares of "
            f"{validation_share:g} and {test_share:g} and a training part.",
            "Use more data, or smaller shares.",
        )
    leaving = [str(row[place]) for place in _spread(validation + test, len(row))]
    tested = {leaving[place] for place in _spread(test, len(leaving))}
    return {unit: "test" if unit in tested else "validation" for unit in leaving}


def _spread(count: int, length: int) -> list[int]:
    """``count`` places at even distances in a row of ``length``, all different."""
    return [int((place + 0.5) * length / count) for place in range(count)]
