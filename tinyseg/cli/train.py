"""`tinyseg train`."""

from pathlib import Path
from typing import Annotated, Literal, get_args

import typer
from rich.console import Group
from rich.text import Text

from tinyseg.cli import console
from tinyseg.cli.options import DATA, Json, Quiet, RunName, Runs, Set, Threads, Verbose
from tinyseg.cli.scores import leak_note, view
from tinyseg.errors import UsageError
from tinyseg.runs.records import Augmentation, Protocol, Task, TrainDocument

_OF_RESUME = {"resume", "runs", "json_", "quiet", "verbose"}


def _default(name: str) -> str:
    """What holds where an option is left out, of masks and of whole pictures."""
    texts: list[str] = []
    for task in get_args(Task):
        value = getattr(Protocol.for_task(task), name)
        texts.append(",".join(value) if isinstance(value, list) else str(value))
    masks, pictures = texts
    return masks if masks == pictures else f"{masks}, or {pictures} to classify"


def train(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Option("--model", help="A network's name; see tinyseg models.")
    ] = None,
    data: Annotated[str | None, typer.Option("--data", help=DATA)] = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            min=8,
            help="Side that pictures are resized to, pixels.",
            show_default=_default("size"),
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, show_default=_default("epochs"))
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", min=1, show_default=_default("batch_size"))
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option("--lr", min=0, help="Highest learning rate.", show_default=_default("lr")),
    ] = None,
    optimizer: Annotated[
        Literal["adam", "adamw", "sgd"] | None,
        typer.Option("--optimizer", show_default=_default("optimizer")),
    ] = None,
    momentum: Annotated[
        float | None,
        typer.Option("--momentum", min=0, max=1, help="Of sgd.", show_default=_default("momentum")),
    ] = None,
    weight_decay: Annotated[
        float | None,
        typer.Option("--weight-decay", min=0, show_default=_default("weight_decay")),
    ] = None,
    schedule: Annotated[
        Literal["constant", "cosine", "one-cycle"] | None,
        typer.Option(
            "--schedule",
            help="After the warm-up; all but constant go down to 0.",
            show_default=_default("schedule"),
        ),
    ] = None,
    warmup_steps: Annotated[
        int | None,
        typer.Option(
            "--warmup-steps",
            min=0,
            show_default="a tenth of all steps, at most 100; of a one-cycle 3 tenths",
            help="Batches over which the learning rate rises.",
        ),
    ] = None,
    loss: Annotated[
        Literal["dice", "bce-dice", "cross-entropy"] | None,
        typer.Option(
            "--loss",
            help="Of masks, Dice over the batch, or cross-entropy plus Dice image by image; of "
            "whole pictures cross-entropy.",
            show_default=_default("loss"),
        ),
    ] = None,
    label_smoothing: Annotated[
        float | None,
        typer.Option(
            "--label-smoothing",
            min=0,
            max=1,
            help="Of cross-entropy.",
            show_default=_default("label_smoothing"),
        ),
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            "--augment",
            help=f"Random changes, separated by commas: {', '.join(get_args(Augmentation))}; "
            "or none.",
            show_default=_default("augment"),
        ),
    ] = None,
    split: Annotated[
        Literal["patient", "image"] | None,
        typer.Option(
            "--split",
            help="What is kept whole; by image leaks, and is told.",
            show_default=_default("split"),
        ),
    ] = None,
    validation_share: Annotated[
        float | None,
        typer.Option("--validation-share", min=0, max=1, show_default=_default("validation_share")),
    ] = None,
    test_share: Annotated[
        float | None,
        typer.Option(
            "--test-share",
            min=0,
            max=1,
            help="Of data without a test part of their own.",
            show_default=_default("test_share"),
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            "--patience",
            min=1,
            show_default="never",
            help="Stop after so many epochs without a better validation score.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            min=0,
            help="Of split, weights, order and augmentation.",
            show_default=_default("seed"),
        ),
    ] = None,
    settings: Set = [],  # noqa: B006  (typer copies it)
    encoder_weights: Annotated[
        str | None,
        typer.Option(
            "--encoder-weights",
            metavar="FILE|imagenet",
            show_default="random",
            help="What a ResNet's encoder starts from: a file with torchvision's names, or "
            "imagenet, which is downloaded. The run says which.",
        ),
    ] = None,
    accelerator: Annotated[
        Literal["auto", "cpu", "gpu"] | None,
        typer.Option("--accelerator", show_default="a GPU where there is one"),
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"] | None,
        typer.Option("--precision", show_default="mixed on a GPU, fp32 on the CPU"),
    ] = None,
    threads: Threads = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="RUN", help="Go on with a training that was cut off."),
    ] = None,
    name: RunName = None,
    runs: Runs = Path("runs"),
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Trains a network into a run folder and scores it on the test part.

    The weights of the epoch with the best validation score are kept. A training
    that was interrupted or killed goes on with --resume alone, and ends with
    the weights it would have had.

    Example: tinyseg train --model ul-vm-unet --data phantom --size 128
    """
    if resume is not None:
        _require_alone(context)
        from tinyseg.training import resume as go_on

        with console.progress() as progress:
            run = go_on(resume, runs=runs, progress=progress)
    else:
        if model is None or data is None:
            raise UsageError(
                "A training needs --model and --data.",
                "Such as: tinyseg train --model ul-vm-unet --data phantom",
            )
        given = {
            "size": size,
            "epochs": epochs,
            "batch_size": batch_size,
            "lr": lr,
            "optimizer": optimizer,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "schedule": schedule,
            "warmup_steps": warmup_steps,
            "loss": loss,
            "label_smoothing": label_smoothing,
            "augment": None if augment is None else _augmentations(augment),
            "split": split,
            "validation_share": validation_share,
            "test_share": test_share,
            "patience": patience,
            "seed": seed,
            "accelerator": accelerator,
            "precision": precision,
            "threads": threads,
            "encoder_weights": encoder_weights,
        }
        from tinyseg.networks import known, parse_arguments
        from tinyseg.training import train as train_network

        arguments = parse_arguments(model, settings)
        protocol = Protocol.for_task(
            known(model).task, **{name: value for name, value in given.items() if value is not None}
        )
        with console.progress() as progress:
            run = train_network(
                model, data, protocol, arguments=arguments, runs=runs, name=name, progress=progress
            )
    record, evaluation = run.record, run.evaluation
    assert record.best is not None
    assert evaluation is not None
    document = TrainDocument(
        run=str(run.path),
        epochs=record.epochs_done,
        stopped_early=record.stopped_early,
        seconds=record.seconds or 0,
        best=record.best,
        evaluation=evaluation,
    )
    leaks = [leak_note(leak) for leak in run.split.leaks if leak.part == "test"]
    console.emit(document, Group(_best(document), view(evaluation, leaks)))
    if json_:
        for leak in leaks:
            console.say(Text(leak))
    console.say(f"Written to {run.path}; pictures in {run.pictures}.")
    console.say(f"Next: tinyseg export {run.path}")


def _require_alone(context: typer.Context) -> None:
    """Everything else about a resumed training is in its run."""
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name not in _OF_RESUME and _was_given(context, parameter.name)
    ]
    if given:
        raise UsageError(
            f"A resumed training has its own settings, so {' and '.join(given)} cannot change it.",
            "Say --resume RUN alone.",
        )


def _was_given(context: typer.Context, name: str | None) -> bool:
    source = context.get_parameter_source(name or "")
    return source is not None and source.name == "COMMANDLINE"


def _augmentations(text: str) -> list[Augmentation]:
    names = [name.strip() for name in text.split(",") if name.strip() not in ("", "none")]
    for name in names:
        if name not in get_args(Augmentation):
            raise UsageError(
                f"No augmentation is called '{name}'.",
                f"There are: {', '.join(get_args(Augmentation))}, none.",
            )
    return names  # pyright: ignore[reportReturnType]


def _best(document: TrainDocument) -> Text:
    best = document.best
    minutes, seconds = divmod(round(document.seconds), 60)
    stopped = ", stopped early" if document.stopped_early else ""
    what = "top-1" if best.measure == "top1" else "Dice"
    meaning = "" if best.measure == "top1" else f" ({best.measure.replace('_', ' ')})"
    return Text(
        f"{document.epochs} epochs in {minutes}:{seconds:02d} min{stopped}. Best validation {what} "
        f"{best.score:.4f}{meaning}, after epoch {best.epoch}."
    )
