"""Options that shape a network's fresh weights, where a subject is a network's name."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tinyseg.errors import UsageError

if TYPE_CHECKING:
    from tinyseg.exporters import Subject

_PANEL = "Networks without a run"

SubjectName = Annotated[
    str | None,
    typer.Argument(
        metavar="SUBJECT", help="A run, an exported file or a network.", show_default=False
    ),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="MODULE:NAME",
        rich_help_panel=_PANEL,
        help="A network of your own instead of a SUBJECT: what builds it, in this folder or "
        "installed.",
        show_default=False,
    ),
]
TaskOf = Annotated[
    Literal["segmentation", "classification"] | None,
    typer.Option(
        "--task",
        show_default="as the logits' shape says",
        help="Of --from's network; checked.",
        rich_help_panel=_PANEL,
    ),
]
Size = Annotated[
    int | None,
    typer.Option(
        "--size",
        min=1,
        metavar="N",
        rich_help_panel=_PANEL,
        show_default="256, or 32 to classify",
        help="Side of a network's input; a run has its own.",
    ),
]
Classes = Annotated[
    int | None,
    typer.Option(
        "--classes",
        min=1,
        metavar="N",
        rich_help_panel=_PANEL,
        show_default="1, or 100 to classify",
        help="Classes of a network; a run has its own.",
    ),
]
InChannels = Annotated[
    int | None,
    typer.Option(
        "--in-channels",
        min=1,
        metavar="N",
        rich_help_panel=_PANEL,
        show_default="3",
        help="Channels a network takes; a run has its own.",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        show_default="0",
        help="Of a network's fresh weights.",
        rich_help_panel=_PANEL,
    ),
]


def resolve_subject(
    text: str | None,
    *,
    own: str | None = None,
    task: Literal["segmentation", "classification"] | None = None,
    runs: Path,
    size: int | None,
    classes: int | None,
    in_channels: int | None,
    settings: list[str],
    seed: int | None,
) -> "Subject":
    """Resolves a subject, or the user's own network, with the shape it was given.

    Raises:
        UsageError: it is nothing known, or a run or artifact, which nobody can shape any more.
    """
    from tinyseg.exporters import resolve, resolve_own
    from tinyseg.networks import parse_arguments

    given = {"size": size, "classes": classes, "in_channels": in_channels, "seed": seed}
    shape = {name: value for name, value in given.items() if value is not None}
    if own:
        require_one(text, own)
        return resolve_own(own, task=task, arguments=parse_arguments(own, settings), **shape)
    text = require_one(text, own)
    if task:
        raise UsageError(f"{text} has a task of its own.", "Leave --task out.")
    subject = resolve(text, runs=runs)
    if subject.run is None and subject.artifact is None:
        return resolve(text, runs=runs, arguments=parse_arguments(text, settings), **shape)
    options = [f"--{name.replace('_', '-')}" for name in shape] + ["--set"] * bool(settings)
    if options:
        raise UsageError(
            f"{text} has its own shape and weights, so {' and '.join(options)} cannot change it.",
            f"Leave it out, or name the network: {subject.network_name}.",
        )
    return subject


def require_one(text: str | None, own: str | None) -> str:
    """The subject or the import path, whichever was given.

    Raises:
        UsageError: both were, or neither, or the path is none.
    """
    from tinyseg.networks import check_import_path

    if text and own:
        raise UsageError(f"{text} and --from {own} are two networks.", "Name one of them.")
    if not text and not own:
        raise UsageError(
            "There is nothing to work on.", "Name a run or a network, or your own by --from."
        )
    if own:
        check_import_path(own)
    return text or own or ""
