"""`tinyseg export --preflight`: what would fail, told before anything is converted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from tinyseg.cli import console
from tinyseg.runs.records import (
    ExportOptions,
    Foreseen,
    FormatForeseen,
    Precision,
    PreflightDocument,
)

if TYPE_CHECKING:
    from tinyseg.exporters import Subject


def look_ahead(
    subject: "Subject",
    formats: Sequence[str],
    precisions: Sequence[Precision],
    options: ExportOptions,
) -> None:
    """Prints what would stop each format; anything that would ends the command with exit code 3.

    Raises:
        PreflightError: a format would not come about.
    """
    from tinyseg.exporters import preflight, require_preflight

    with console.progress() as progress:
        document = preflight(
            subject, formats, precisions=precisions, options=options, progress=progress
        )
    console.emit(document, _view(document))
    require_preflight(document)
    console.say("Whether the files do what the network does, only the export itself shows.")


def _view(document: PreflightDocument) -> RenderableType:
    return Group(*(line for each in document.formats for line in _lines(each)))


def _lines(found: FormatForeseen) -> list[Text]:
    count = "" if found.operators is None else f" ({found.operators:,} operators)"
    if found.passed:
        return [Text(f"{found.format}: nothing stands in the way{count}")]
    return [Text(f"{found.format}: would fail{count}", "red"), *map(_line, found.problems)]


def _line(problem: Foreseen) -> Text:
    where = [problem.module, problem.source]
    place = " ".join(filter(None, (problem.operator, *where))) or "(network)"
    times = f" ({problem.calls} times)" if problem.calls > 1 else ""
    return Text(f"  {place}{times}: {problem.reason}")
