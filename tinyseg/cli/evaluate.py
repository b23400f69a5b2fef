"""`tinyseg evaluate`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyseg.cli import console
from tinyseg.cli.options import Json, Quiet, Runs, Verbose
from tinyseg.cli.trained import pictures_a_call, resolve_trained
from tinyseg.runs.records import EvaluationRecord, Leak, Scores

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
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            min=0.0,
            max=1.0,
            show_default="the run's",
            help="A pixel is foreground from this probability on.",
        ),
    ] = None,
    runs: Runs = Path("runs"),
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Scores a run or an exported file: Dice and IoU, with intervals and baselines.

    A run's scores on its own test part, at its own threshold, are kept in the
    run as evaluation.json and evaluation.csv; all others are only shown. An
    exported file is run by its own runtime.

    Example: tinyseg evaluate runs/ul-vm-unet-phantom-1
    """
    from tinyseg.evaluation import choose_pictures, evaluate_dataset, keep_evaluation

    resolved = resolve_trained(subject, runs)
    chosen = choose_pictures(resolved.run, part=split, data=data)
    with console.progress() as progress:
        evaluation = evaluate_dataset(
            resolved.predictor(),
            chosen.dataset,
            chosen.keys,
            resolved.preprocessing,
            subject=resolved.name,
            part=chosen.part,
            threshold=resolved.threshold if threshold is None else threshold,
            batch_size=pictures_a_call(resolved),
            progress=progress,
        )
    warnings = _warnings(resolved, chosen)
    console.emit(evaluation.record, _view(evaluation.record, warnings))
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
    return chosen.part == "test" and data is None and threshold in (None, subject.threshold)


def _warnings(subject: "Subject", chosen: "Chosen") -> list[str]:
    """What a reader must know before believing the scores."""
    if subject.run is None:
        return []
    record, split = subject.run.record, subject.run.split
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
    return warnings + [_leak(leak) for leak in split.leaks if leak.part == chosen.part]


def _leak(leak: Leak) -> str:
    copied = (
        f" Copying the mask of the nearest training picture of the same group would score a median "
        f"Dice of {leak.neighbour_dice_median:.2f}."
        if leak.neighbour_dice_median is not None
        else ""
    )
    return (
        f"Leak: {leak.shared_groups} of the {leak.groups} groups in the {leak.part} part also "
        f"train, so these scores flatter.{copied}"
    )


def _view(record: EvaluationRecord, warnings: Sequence[str]) -> RenderableType:
    part = "all pictures" if record.split == "all" else f"the {record.split} part"
    table = Table(title=Text(f"{record.subject} on {part}"), box=box.SIMPLE, padding=(0, 1, 0, 0))
    table.title_justify = "left"
    table.add_column("")
    if record.dice.per_volume:
        table.add_column("per volume", justify="right")
        table.add_column("95 %")
    table.add_column("per image", justify="right")
    table.add_column("95 %")
    table.add_column("pooled", justify="right")
    table.add_row("Dice", *_cells(record.dice), style="bold")
    for name, scores in record.baselines.items():
        table.add_row(f" {name}", *_cells(scores), style="dim")
    table.add_row("IoU", *_cells(record.iou))
    return Group(
        table,
        *(Text(line, "dim") for line in _explanation(record)),
        *(Text(warning, "yellow") for warning in warnings),
    )


def _cells(scores: Scores) -> list[str]:
    means = [scores.per_volume, scores.per_image] if scores.per_volume else [scores.per_image]
    cells: list[str] = []
    for estimate in means:
        low_high = estimate.ci95
        cells += [f"{estimate.mean:.4f}"]
        cells += [f"{low_high[0]:.3f} to {low_high[1]:.3f}" if low_high else ""]
    return [*cells, f"{scores.pooled:.4f}"]


def _explanation(record: EvaluationRecord) -> list[str]:
    """The table in words."""
    volumes = record.dice.per_volume is not None
    what = f"{record.groups:,} volume{'s' * (record.groups != 1)}"
    groups = f" of {what}" if volumes else f" in {record.groups:,} groups"
    lines = [
        f"{record.images:,} images{groups}, {record.data}; pixels counted at "
        f"{record.size}x{record.size}, threshold {record.threshold:g}."
    ]
    if volumes:
        lines.append(f"Per volume: one Dice a volume, over all its slices; mean of {what}.")
    lines += [
        f"Per image: one Dice an image ({record.dice.per_image.empty_rule}); mean of "
        f"{record.images:,} images.",
        "Pooled: one Dice over all pixels of all images.",
        "95 %: bootstrap over groups; it does not cover training again with another seed."
        if record.groups > 1
        else "A single group gives no interval.",
        f"Beneath Dice, that of baselines: {_baselines(record)}.",
    ]
    return lines


def _baselines(record: EvaluationRecord) -> str:
    words = {
        "nothing": "nothing marked",
        "everything": "everything marked",
        "threshold": "a threshold on each volume's grey levels",
    }
    return ", ".join(words.get(name, name) for name in record.baselines)
