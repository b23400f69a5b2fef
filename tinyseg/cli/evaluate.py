"""`tinyseg evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from tinyseg.cli import console
from tinyseg.cli.options import Json, Quiet, Runs, Threshold, Verbose
from tinyseg.cli.scores import leak_note, view
from tinyseg.cli.trained import chosen_threshold, pictures_a_call, resolve_trained

if TYPE_CHECKING:
    from tinyseg.evaluation import Chosen
    from tinyseg.exporters import Subject


def evaluate(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="A run, or an exported file.")],
    split: Annotated[
        Literal["test", "validation", "train", "all"] | None,
        typer.Option(
            "--split",
            help="Part of the run's split to score.",
            show_default="test; all, with --data",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="Score other data than the run's own: a folder, 'phantom' or KIND:FOLDER. With "
            "--split, the pictures in it that the run's split names.",
        ),
    ] = None,
    threshold: Threshold = None,
    runs: Runs = Path("runs"),
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Scores a run or an exported file, with intervals and baselines.

    Masks by Dice and IoU, whole pictures by top-1, top-5 and macro F1.

    A run's scores on its own test part, at its own threshold, are kept in the
    run as evaluation.json and evaluation.csv; all others are only shown. Of
    imported weights, which have no data of their own, those on all of --data
    are kept. An exported file is run by its own runtime.

    Example: tinyseg evaluate runs/ul-vm-unet-phantom-1
    """
    from tinyseg.evaluation import choose_pictures, evaluate_dataset, keep_evaluation

    resolved = resolve_trained(subject, runs)
    probability = chosen_threshold(resolved, threshold)
    chosen = choose_pictures(resolved.run, part=split, data=data)
    with console.progress() as progress:
        evaluation = evaluate_dataset(
            resolved.predictor(),
            chosen.dataset,
            chosen.keys,
            resolved.preprocessing,
            task=resolved.task,
            classes=resolved.classes,
            subject=resolved.name,
            part=chosen.part,
            threshold=probability,
            batch_size=pictures_a_call(resolved),
            progress=progress,
        )
    warnings = _warnings(resolved, chosen)
    console.emit(evaluation.record, view(evaluation.record, warnings))
    if console.settings.json:
        for warning in warnings:
            console.say(Text(warning))
    if _is_the_runs_own(resolved, chosen, data, threshold):
        assert resolved.run
        keep_evaluation(resolved.run, evaluation)
        console.say(f"Written to {resolved.run.path / 'evaluation.json'} and evaluation.csv.")
        console.say("Next: tinyseg compare")


def _is_the_runs_own(
    subject: "Subject", chosen: "Chosen", data: str | None, threshold: float | None
) -> bool:
    """Whether these are the scores that stand for a run wherever it is compared."""
    if subject.artifact or subject.run is None or subject.run.record.state == "running":
        return False
    if threshold not in (None, subject.threshold):
        return False
    return chosen.part == "all" if subject.data is None else chosen.part == "test" and not data


def _warnings(subject: "Subject", chosen: "Chosen") -> list[str]:
    """What a reader must know before believing the scores."""
    if subject.run is None:
        return []
    record = subject.run.record
    if record.protocol is None:
        return ["These weights were imported: pictures that may have trained them flatter."]
    split = subject.run.split
    warnings: list[str] = []
    if record.state != "finished":
        warnings.append(
            f"The run is {record.state} after {record.epochs_done} of {record.protocol.epochs} "
            "epochs; these are its best weights so far."
        )
    known = len(set(chosen.keys) & set(split.train))
    if known:
        warnings.append(
            f"{known:,} of the {len(chosen.keys):,} pictures have the names of pictures that "
            "trained the network: their scores flatter."
        )
    return warnings + [leak_note(leak) for leak in split.leaks if leak.part == chosen.part]
