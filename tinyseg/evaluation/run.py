"""Evaluating a run, or anything that predicts, on a dataset."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinyseg.errors import TinysegError
from tinyseg.evaluation.baselines import baselines
from tinyseg.evaluation.chosen import choose_pictures
from tinyseg.evaluation.decisions import Predictor, foreground_classes
from tinyseg.evaluation.evaluate import Evaluation, evaluate
from tinyseg.evaluation.tables import write_table
from tinyseg.progress import Progress, silent
from tinyseg.runs import Run
from tinyseg.runs.records import Part, Task

if TYPE_CHECKING:
    from tinyseg.data.preprocessing import Preprocessing
    from tinyseg.data.sample import Dataset


def evaluate_run(
    run: Run, predictor: Predictor, *, part: Part = "test", progress: Progress = silent
) -> Evaluation:
    """Evaluates a run's network on a part of its own data, baselines beside.

    The test part's result is written into the run (`keep_evaluation`).

    Args:
        run: its record and split say on what and how.
        predictor: the run's best weights at work.
        part: which part of the split.
        progress: told while pictures are read, baselines computed and pictures predicted.

    Raises:
        TinysegError: the data are not there, or no longer what the run's split names.
    """
    record, chosen = run.record, choose_pictures(run, part=part)
    evaluation = evaluate_dataset(
        predictor,
        chosen.dataset,
        chosen.keys,
        record.preprocessing,
        task=record.task,
        classes=record.classes,
        subject=run.name,
        part=part,
        threshold=record.threshold,
        progress=progress,
    )
    if part == "test":
        keep_evaluation(run, evaluation)
    return evaluation


def keep_evaluation(run: Run, evaluation: Evaluation) -> None:
    """Writes ``evaluation.csv`` and ``evaluation.json`` into a run."""
    write_table(run.path / "evaluation.csv", evaluation.table)
    run.write("evaluation.json", evaluation.record)


def evaluate_dataset(
    predictor: Predictor,
    dataset: "Dataset",
    keys: Sequence[str],
    preprocessing: "Preprocessing",
    *,
    task: Task,
    classes: Sequence[str],
    subject: str,
    part: str,
    threshold: float = 0.5,
    batch_size: int = 16,
    progress: Progress = silent,
) -> Evaluation:
    """Evaluates whatever predicts on some keys of a dataset, baselines beside.

    Args:
        predictor: gives logits for a batch.
        dataset: where the pictures are read.
        keys: which of them.
        preprocessing: what the predictor wants done to a picture.
        task: what the predictor's logits are for.
        classes: what they tell apart, one name a channel.
        subject: what is evaluated, for the record.
        part: which part of the dataset the keys are, for the record.
        threshold: from this probability on, a pixel belongs to a single class.
        batch_size: pictures a call of the predictor.
        progress: told while pictures are read, baselines computed and pictures predicted.

    Raises:
        TinysegError: there are no keys, the dataset lacks some, or its pictures have other channels
            or classes than the predictor.
    """
    from tinyseg.data import load_pictures

    _check_keys(dataset, keys, part)
    _check_fit(dataset, preprocessing, task, classes)
    pictures = load_pictures(dataset, keys, preprocessing.size, progress)
    return evaluate(
        predictor,
        pictures,
        preprocessing,
        subject=subject,
        part=part,
        data=dataset.source,
        classes=dataset.classes,
        groups_are_volumes=dataset.groups_are_volumes,
        threshold=threshold,
        batch_size=batch_size,
        baselines=baselines(dataset, pictures, progress),
        progress=progress,
    )


def _check_keys(dataset: "Dataset", keys: Sequence[str], part: str) -> None:
    if not keys:
        raise TinysegError(f"The part '{part}' of {dataset.source} has no pictures.")
    lost = sorted(set(keys) - set(dataset.keys))
    if lost:
        raise TinysegError(
            f"{dataset.source} lacks {len(lost)} of the {len(keys)} pictures of the part '{part}', "
            f"such as {lost[0]}; the data changed since the split was made.",
            "Bring the pictures back, or train again.",
        )


def _check_fit(
    dataset: "Dataset", preprocessing: "Preprocessing", task: Task, classes: Sequence[str]
) -> None:
    if dataset.task != task:
        raise TinysegError(
            f"{dataset.source} is for {dataset.task}, the network for {task}.",
            "Name data like those of its training.",
        )
    known = len(classes) if task == "classification" else foreground_classes(len(classes))
    if known != len(dataset.classes):
        raise TinysegError(
            f"The network has {known} class{'es' * (known != 1)}, the data {dataset.source} have "
            f"{len(dataset.classes)}.",
            "Name data like those of its training.",
        )
    wanted = len(preprocessing.mean)
    if dataset.channels != wanted:
        raise TinysegError(
            f"The pictures of {dataset.source} have {dataset.channels} channels, the network takes "
            f"{wanted}.",
            "Name data like those of its training.",
        )
