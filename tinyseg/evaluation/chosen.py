"""Which pictures an evaluation scores."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from tinyseg.errors import UsageError
from tinyseg.runs import Run
from tinyseg.runs.records import Part

if TYPE_CHECKING:
    from tinyseg.data.sample import Dataset

#: A part of a run's split, or every picture of the data.
Choice = Part | Literal["all"]


class Chosen(NamedTuple):
    """Pictures to score.

    Attributes:
        dataset: where they are read.
        keys: which of its pictures.
        part: what they are, for the record.
    """

    dataset: "Dataset"
    keys: Sequence[str]
    part: Choice


def choose_pictures(
    run: Run | None, *, part: Choice | None = None, data: str | None = None
) -> Chosen:
    """Chooses what to score.

    Args:
        run: gives the split, and the data where none are named.
        part: by default the test part of the run's own data, or all of other data. A part of other
            data is the pictures that the run's split names, such as those of data that moved.
        data: other data, as ``--data`` takes them.

    Raises:
        UsageError: there is no run to know a split or data from, or it was imported.
        TinysegError: the data are not there.
    """
    from tinyseg.data import open_dataset

    part = part or ("all" if data else "test")
    own = run.record.data if run else None
    source = data or (own.source if own else None)
    because = f"{run.name} was imported, so" if run else "Without its run's folder,"
    if source is None:
        raise UsageError(f"{because} nobody knows its data.", "Name some by --data.")
    if part != "all" and own is None:
        raise UsageError(
            f"{because} nobody knows which pictures are the {part} part.",
            "Leave --split out to score all of --data.",
        )
    dataset = open_dataset(source)
    keys = dataset.keys if part == "all" or run is None else run.split.keys(part)
    return Chosen(dataset, keys, part)
