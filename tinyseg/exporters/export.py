"""`export`: convert, compare, and only then take the good name."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tinyseg.errors import ChildError, TinysegError
from tinyseg.exporters.base import Exporter, load_exporter, require
from tinyseg.exporters.convert import convert
from tinyseg.exporters.explain import explain as explain_file
from tinyseg.exporters.manifest import contents_of, manifest_of
from tinyseg.exporters.outcome import (
    Outcome,
    StageError,
    examine,
    failure_of,
    forget_failure,
    keep_failure,
    require_parity,
)
from tinyseg.exporters.proof import Proof
from tinyseg.exporters.subject import Subject, manifest_path, resolve
from tinyseg.progress import Progress, silent
from tinyseg.runs import whole_file, write_text
from tinyseg.runs.records import ArtifactRecord, Manifest

if TYPE_CHECKING:
    from torch import nn

_FAILED = ".failed"


def export(
    subject: Subject | str,
    formats: Sequence[str] = ("onnx", "tflite"),
    *,
    out: Path | None = None,
    check_accuracy: bool = True,
    explain: bool = False,
    progress: Progress = silent,
) -> list[ArtifactRecord]:
    """Exports a subject and proves that each file does what the network does.

    A file that fails parity is kept as ``NAME.SUFFIX.failed``, with its manifest. A format that
    fails at any stage leaves a record of it in its run, until it succeeds.

    Args:
        subject: a run or a network, resolved or by name.
        formats: names of formats.
        out: folder to write into; by default the run's ``artifacts``, or here without a run.
        check_accuracy: also compare Dice with the run's own, on its test pictures.
        explain: also walk the network's stages, for the first whose output differs.
        progress: told what is being done.

    Raises:
        ParityError: a file does not do what the network does; all formats are done by then.
        UsageError: no such format, or the subject is an artifact.
        MissingExtraError: a format's packages are not installed; nothing was done yet.
        TinysegError: a converter or runtime refused, crashed or took too long; all other formats
            are done by then.
    """
    subject = resolve(subject) if isinstance(subject, str) else subject
    outcome = export_all(
        subject,
        formats,
        out=out,
        check_accuracy=check_accuracy,
        explain=explain,
        progress=progress,
    )
    outcome.require()
    return outcome.artifacts


def export_all(
    subject: Subject,
    formats: Sequence[str],
    *,
    out: Path | None = None,
    check_accuracy: bool = True,
    explain: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """As `export`, but formats that fail only say so in the outcome, and in the run."""
    exporters = require_formats(formats)
    network = subject.network()
    for exporter in exporters:
        reason = exporter.supports(network)
        if reason:
            raise TinysegError(f"{subject.name} cannot be exported to {exporter.name}: {reason}")
    folder = out or (subject.run.artifacts if subject.run else Path())
    folder.mkdir(parents=True, exist_ok=True)
    proof = Proof.of(subject, network, with_accuracy=check_accuracy, progress=progress)
    outcome = Outcome()
    for number, exporter in enumerate(exporters):
        progress("Exporting", number, len(exporters), exporter.name)
        _add(outcome, subject, exporter, folder, proof, network if explain else None)
    progress("Exporting", len(exporters), len(exporters), "")
    return outcome


def require_formats(formats: Sequence[str]) -> list[Exporter]:
    """The exporters of formats, all of whose packages are installed.

    Raises:
        UsageError: no such format.
        MissingExtraError: a format's packages are not installed.
    """
    exporters = [load_exporter(name) for name in formats]
    for exporter in exporters:
        what = f"Export to {exporter.name}"
        require(exporter, (*exporter.converts_with, *exporter.runs_with), what)
    return exporters


def _add(
    outcome: Outcome,
    subject: Subject,
    exporter: Exporter,
    folder: Path,
    proof: Proof,
    explained: "nn.Module | None",
) -> None:
    """Exports to one format, whose failure hinders no other and is kept in the run's own folder."""
    kept = subject.run is not None and folder == subject.run.artifacts
    try:
        record = _export_one(subject, exporter, folder, proof, explained)
        outcome.artifacts.append(record)
        require_parity(Path(record.path).name, record.parity)
    except StageError as failed:
        failure = failure_of(subject, exporter.name, failed.stage, failed.reason)
        outcome.failures.append(failure)
        outcome.errors.append(failed.error)
        if kept:
            keep_failure(folder, subject, failure)
    else:
        if kept:
            forget_failure(folder, subject, exporter.name)


def _export_one(
    subject: Subject,
    exporter: Exporter,
    folder: Path,
    proof: Proof,
    explained: "nn.Module | None",
) -> ArtifactRecord:
    """Works in a hidden folder beside the destination; the good name comes last.

    Raises:
        StageError: no file came of it, or none that could be compared.
    """
    name, contents = subject.name + exporter.suffix, contents_of(subject)
    with tempfile.TemporaryDirectory(prefix=f".{subject.name}-", dir=folder) as hidden:
        path = Path(hidden, name)
        begun = time.monotonic()
        try:
            details = convert(subject, exporter, contents, path)
        except ChildError as error:
            raise StageError("convert", error) from error
        seconds = time.monotonic() - begun
        parity, accuracy = examine(proof, path, exporter)
        final = folder / (name if parity.passed else f"{name}{_FAILED}")
        record = ArtifactRecord(
            path=final.name,
            format=exporter.name,
            precision="fp32",
            bytes=path.stat().st_size,
            nodes=details.nodes,
            seconds=seconds,
            parity=parity,
            accuracy=accuracy,
            explanation=explain_file(proof, explained, path, exporter) if explained else None,
        )
        manifest = manifest_of(path, record, contents, details)
        _settle(path, final, manifest)
    if parity.passed:
        _remove(folder / f"{name}{_FAILED}")
    return record.model_copy(update={"path": str(final)})


def _settle(path: Path, final: Path, manifest: Manifest) -> None:
    """Puts an artifact and its manifest in place, each whole, the old ones replaced."""
    with whole_file(final) as temporary:
        path.replace(temporary)
    write_text(manifest_path(final), manifest.to_json())


def _remove(artifact: Path) -> None:
    artifact.unlink(missing_ok=True)
    manifest_path(artifact).unlink(missing_ok=True)
