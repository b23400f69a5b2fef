"""`preflight`: what would stop an export, and where, before anything is converted."""

from collections.abc import Sequence

from tinyseg.children import run_child
from tinyseg.errors import PreflightError
from tinyseg.exporters.asked import require_formats, wanted_of
from tinyseg.exporters.base import AS_USUAL, Conversion, Exporter
from tinyseg.exporters.convert import request
from tinyseg.exporters.manifest import contents_of
from tinyseg.exporters.subject import Subject
from tinyseg.progress import Progress, silent
from tinyseg.runs.records import (
    ExportOptions,
    Foreseen,
    FormatForeseen,
    Precision,
    PreflightDocument,
)

_LONGEST_S = 600


def preflight(
    subject: Subject,
    formats: Sequence[str],
    *,
    precisions: Sequence[Precision] = ("fp32",),
    options: ExportOptions = AS_USUAL,
    progress: Progress = silent,
) -> PreflightDocument:
    """Traces a network as each format's converter would, and writes nothing.

    What only shows when a converter works on whole graphs, or when a runtime runs the file, cannot
    be foreseen: an export may fail that this passed.

    Args:
        subject: a run or a network.
        formats: names of formats.
        precisions: are only checked to exist; what is traced is the same for all.
        options: the rest of what is asked for.
        progress: told what is being done.

    Raises:
        UsageError: no such format, one that has no such precision, an option that none knows, or
            the subject is an artifact.
        MissingExtraError: a format's packages are not installed.
        ChildError: the network itself fails, or tracing crashes or takes too long.
    """
    exporters = require_formats(formats)
    wanted_of(exporters, precisions, options)
    wanted = wanted_of(exporters, precisions[:1], options)
    found: list[FormatForeseen] = []
    for number, (exporter, each) in enumerate(wanted):
        progress("Looking", number, len(wanted), exporter.name)
        found.append(_foreseen(subject, exporter, each))
    progress("Looking", len(wanted), len(wanted), "")
    return PreflightDocument(subject=subject.name, formats=found)


def require_preflight(document: PreflightDocument) -> None:
    """Raises what stands in the way, if anything does.

    Raises:
        PreflightError: a format would not come about.
    """
    stopped = [each.format for each in document.formats if not each.passed]
    if stopped:
        raise PreflightError(
            f"{document.subject} would not be exported to {' and '.join(stopped)}.",
            "Change the lines named above, or leave the format out.",
        )


def _foreseen(subject: Subject, exporter: Exporter, options: ExportOptions) -> FormatForeseen:
    conversion = Conversion(contents_of(subject, options), options)
    with request(subject, exporter, conversion) as asked:
        answer = run_child(
            f"Looking at {subject.name} for {exporter.name}",
            "tinyseg.exporters.preflighting",
            asked,
            timeout_s=_LONGEST_S,
        )
    problems = [Foreseen.model_validate(problem) for problem in answer["problems"]]
    return FormatForeseen(
        format=exporter.name,
        passed=not problems,
        operators=answer["operators"],
        problems=problems,
    )
