"""Runs side by side: one flat row a run."""

from collections.abc import Sequence
from typing import Any

from tinyseg.comparison.against import difference_from
from tinyseg.comparison.columns import every_column
from tinyseg.comparison.conditions import matching
from tinyseg.comparison.pareto import front
from tinyseg.comparison.reading import Row, formats_of, read_row, score_of
from tinyseg.comparison.sorting import in_order
from tinyseg.runs import Run
from tinyseg.runs.records import CompareDocument


def compare(
    runs: Sequence[Run],
    *,
    where: Sequence[str] = (),
    sort: str | None = None,
    against: Run | None = None,
) -> CompareDocument:
    """Puts runs side by side; missing is None.

    Runs that are unfinished, unevaluated or unreadable are there too; ``state`` and ``problem`` say
    so. ``pareto`` marks, among all runs given of the same data, split and size, those that no other
    beats in score (Dice or top-1) and parameters.

    Args:
        runs: their folders.
        where: conditions, such as ``parameters<100000``; all must be met.
        sort: a column, best first; by default comparable runs stand together, the best score first.
        against: a run from which every other's score is subtracted, pair by pair.

    Raises:
        UsageError: a condition or column that does not exist.
        TinysegError: a run was tested on other pictures than ``against``.
    """
    columns = every_column(formats_of(runs))
    rows = [dict.fromkeys(columns) | read_row(run) for run in runs]
    if against:
        for run, row in zip(runs, rows, strict=True):
            row.update(_against(run, against) if score_of(row) is not None else {})
    _mark_pareto(rows)
    return CompareDocument(rows=in_order(matching(rows, where, columns), sort, columns))


def comparable(row: Row) -> tuple[Any, ...]:
    """What rows must have in common to be compared."""
    return row["data"], row["split"], row["size"]


def _against(run: Run, reference: Run) -> Row:
    estimate = difference_from(run, reference)
    low, high = estimate.ci95 or (None, None)
    return {
        "against": reference.name,
        "difference": estimate.mean,
        "difference_low": low,
        "difference_high": high,
    }


def _mark_pareto(rows: list[Row]) -> None:
    for row in rows:
        row["pareto"] = False
    scored = [(row, score) for row in rows if (score := score_of(row)) is not None]
    for group in {comparable(row) for row, _ in scored}:
        alike = [(row, score) for row, score in scored if comparable(row) == group]
        points = [(score, row["parameters"]) for row, score in alike]
        for (row, _), on_front in zip(alike, front(points), strict=True):
            row["pareto"] = on_front
