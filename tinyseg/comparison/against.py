"""How much better or worse than a named run, on the same test pictures."""

from tinyseg.errors import TinysegError
from tinyseg.evaluation.dice import ImageCounts
from tinyseg.evaluation.scores import difference, read_table
from tinyseg.runs import Run
from tinyseg.runs.records import Estimate


def difference_from(run: Run, reference: Run) -> Estimate:
    """Headline Dice of a run less that of a reference, paired, with its interval over groups.

    Both must have been evaluated on the same test pictures. Where groups are volumes the pairs are
    volumes, else pictures.

    Raises:
        TinysegError: a run was not evaluated, or their test pictures differ.
    """
    table, other = (_table(each) for each in (run, reference))
    if table.keys != other.keys:
        raise TinysegError(
            f"{run.name} and {reference.name} were tested on different pictures, so that their "
            "Dice cannot be compared pair by pair.",
            "Train them with the same data, split and seed, or leave one out.",
        )
    evaluation = reference.evaluation
    volumes = evaluation is not None and evaluation.dice.per_volume is not None
    return difference(table, other, groups_are_volumes=volumes)


def _table(run: Run) -> ImageCounts:
    path = run.path / "evaluation.csv"
    if not path.is_file():
        raise TinysegError(
            f"The run {run.name} was not evaluated, so there is no Dice to compare.",
            f"Evaluate it: tinyseg evaluate {run.path}",
        )
    return read_table(path)
