"""How much better or worse than a named run, on the same test pictures."""

from tinyseg.errors import TinysegError
from tinyseg.evaluation.scores import difference, headline
from tinyseg.evaluation.tables import Table, read_table
from tinyseg.runs import Run
from tinyseg.runs.records import Estimate


def difference_from(run: Run, reference: Run) -> Estimate:
    """Headline of a run less that of a reference, paired, with its interval over groups.

    Both must have been evaluated on the same test pictures. Where groups are volumes the pairs are
    volumes, else pictures.

    Raises:
        TinysegError: a run was not evaluated, or their test pictures differ.
    """
    table, other = (_table(each) for each in (run, reference))
    if table.keys != other.keys:
        raise TinysegError(
            f"{run.name} and {reference.name} were tested on different pictures, so that their "
            "scores cannot be compared pair by pair.",
            "Train them with the same data, split and seed, or leave one out.",
        )
    evaluation = reference.evaluation
    volumes = evaluation is not None and headline(evaluation)[0] == "per_volume"
    return difference(table, other, groups_are_volumes=volumes)


def _table(run: Run) -> Table:
    path = run.path / "evaluation.csv"
    if not path.is_file():
        raise TinysegError(
            f"The run {run.name} was not evaluated, so there is no score to compare.",
            f"Evaluate it: tinyseg evaluate {run.path}",
        )
    return read_table(path)
