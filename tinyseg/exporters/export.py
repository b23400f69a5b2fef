"""`export`: convert, compare, and only then take the good name."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyseg.errors import ChildError, TinysegError
from tinyseg.exporters.asked import require_formats, wanted_of
from tinyseg.exporters.base import AS_USUAL, Conversion, Exporter, Targeted
from tinyseg.exporters.companions import FAILED, companion, companions, size
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
    require_precision,
)
from tinyseg.exporters.pictures import calibration_of
from tinyseg.exporters.proof import Proof
from tinyseg.exporters.second import second_parity
from tinyseg.exporters.subject import Subject, manifest_path, resolve
from tinyseg.progress import Progress, silent
from tinyseg.runs import whole_file, write_text
from tinyseg.runs.records import (
    ArtifactRecord,
    Calibration,
    ExportOptions,
    Manifest,
    Precision,
)

if TYPE_CHECKING:
    from torch import nn

CALIBRATED: tuple[Precision, ...] = ("int8", "int8-full")
CALIBRATION_IMAGES = 64


def export(
    subject: Subject | str,
    formats: Sequence[str] = ("onnx", "tflite"),
    *,
    precisions: Sequence[Precision] = ("fp32",),
    options: ExportOptions = AS_USUAL,
    calibration_images: int = CALIBRATION_IMAGES,
    out: Path | None = None,
    evaluate: bool = True,
    explain: bool = False,
    progress: Progress = silent,
) -> list[ArtifactRecord]:
    """Exports a subject and proves that each file does what the network does.

    A file that fails parity is kept as ``NAME.SUFFIX.failed``, with its manifest. A format that
    fails at any stage leaves a record of it in its run, until it succeeds.

    Args:
        subject: a run or a network, resolved or by name.
        formats: names of formats.
        precisions: each format is written in each of them.
        options: the rest of what is asked for; its precision does not matter.
        calibration_images: pictures of the run's train part that int8 and int8-full take the ranges
            of activations from.
        out: folder to write into; by default the run's ``artifacts``, or here without a run.
        evaluate: also compare Dice with the run's own, on its test pictures.
        explain: also walk the network's stages, for the first whose output differs.
        progress: told what is being done.

    Raises:
        ParityError: a file does not do what the network does; all formats are done by then.
        UsageError: no such format, one that has no such precision, an option that none knows, or
            the subject is an artifact.
        MissingExtraError: a format's packages are not installed; nothing was done yet.
        TinysegError: a converter or runtime refused, crashed or took too long; all other formats
            are done by then.
    """
    subject = resolve(subject) if isinstance(subject, str) else subject
    outcome = export_all(
        subject,
        formats,
        precisions=precisions,
        options=options,
        calibration_images=calibration_images,
        out=out,
        evaluate=evaluate,
        explain=explain,
        progress=progress,
    )
    outcome.require()
    return outcome.artifacts


def export_all(
    subject: Subject,
    formats: Sequence[str],
    *,
    precisions: Sequence[Precision] = ("fp32",),
    options: ExportOptions = AS_USUAL,
    calibration_images: int = CALIBRATION_IMAGES,
    out: Path | None = None,
    evaluate: bool = True,
    explain: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """As `export`, but formats that fail only say so in the outcome, and in the run."""
    exporters = require_formats(formats)
    wanted = wanted_of(exporters, precisions, options)
    network = subject.network()
    for exporter in exporters:
        reason = exporter.supports(network)
        if reason:
            raise TinysegError(f"{subject.name} cannot be exported to {exporter.name}: {reason}")
    folder = out or (subject.run.artifacts if subject.run else Path())
    folder.mkdir(parents=True, exist_ok=True)
    proof = Proof.of(subject, network, evaluate=evaluate, progress=progress)
    drawn = None
    if any(each.precision in CALIBRATED for _, each in wanted):
        drawn = calibration_of(subject, calibration_images, progress)
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="tinyseg-") as shared:
        for number, (exporter, each) in enumerate(wanted):
            progress("Exporting", number, len(wanted), f"{exporter.name} {each.variant}".strip())
            pictures = drawn if each.precision in CALIBRATED else None
            job = _Job(subject, exporter, each, pictures, Path(shared))
            _add(outcome, job, folder, proof, network if explain else None)
    progress("Exporting", len(wanted), len(wanted), "")
    return outcome


@dataclass(frozen=True)
class _Job:
    """One file to make: of what, by whom, how, and with which pictures."""

    subject: Subject
    exporter: Exporter
    options: ExportOptions
    drawn: tuple[NDArray[np.float32], Calibration] | None
    shared: Path

    @property
    def label(self) -> str:
        return "-".join(filter(None, (self.exporter.name, self.options.variant)))

    @property
    def file_name(self) -> str:
        stem = "-".join(filter(None, (self.subject.name, self.options.variant)))
        return stem + self.exporter.suffix

    @property
    def conversion(self) -> Conversion:
        inputs = self.drawn[0] if self.drawn else None
        contents = contents_of(self.subject, self.options)
        return Conversion(contents, self.options, inputs, self.shared)


def _add(
    outcome: Outcome, job: _Job, folder: Path, proof: Proof, explained: "nn.Module | None"
) -> None:
    """Makes one file, whose failure hinders no other and is kept in the run's own folder."""
    subject = job.subject
    kept = subject.run is not None and folder == subject.run.artifacts
    try:
        record = _export_one(job, folder, proof, explained)
        outcome.artifacts.append(record)
        require_parity(Path(record.path).name, record.parity, record.accuracy, record.also)
    except StageError as failed:
        failure = failure_of(subject, job.exporter.name, job.options, failed)
        outcome.failures.append(failure)
        outcome.errors.append(failed.error)
        if kept:
            keep_failure(folder, subject, failure)
    else:
        if kept:
            forget_failure(folder, subject, job.label)


def _export_one(
    job: _Job, folder: Path, proof: Proof, explained: "nn.Module | None"
) -> ArtifactRecord:
    """Works in a hidden folder beside the destination; the good name comes last.

    Raises:
        StageError: no file came of it, or none that could be compared.
    """
    name, exporter, precision = job.file_name, job.exporter, job.options.precision
    with tempfile.TemporaryDirectory(prefix=f".{job.subject.name}-", dir=folder) as hidden:
        path = Path(hidden, name)
        begun = time.monotonic()
        try:
            details = convert(job.subject, exporter, job.conversion, path)
        except ChildError as error:
            raise StageError("convert", error) from error
        seconds = time.monotonic() - begun
        require_precision(name, precision, exporter.holds(path))
        parity, accuracy = examine(proof, path, exporter, precision)
        record = ArtifactRecord(
            path=name,
            format=exporter.name,
            variant=job.options.variant,
            precision=precision,
            bytes=size(exporter, path),
            nodes=details.nodes,
            seconds=seconds,
            parity=parity,
            accuracy=accuracy,
            also=second_parity(proof, path, exporter, precision),
            explanation=explain_file(proof, explained, path, exporter) if explained else None,
            arena=exporter.arena(path) if isinstance(exporter, Targeted) else None,
        )
        if not record.passed:
            record = record.model_copy(update={"path": f"{name}{FAILED}"})
        final, calibration = folder / record.path, job.drawn[1] if job.drawn else None
        manifest = manifest_of(path, record, exporter, details, job.options, calibration)
        _settle(path, final, manifest)
    if record.passed:
        _remove(folder / f"{name}{FAILED}", exporter)
    return record.model_copy(update={"path": str(final)})


def _settle(path: Path, final: Path, manifest: Manifest) -> None:
    """Puts an artifact and its manifest in place, each whole, the old ones replaced."""
    for ending in manifest.beside:
        with whole_file(companion(final, ending)) as temporary:
            companion(path, ending).replace(temporary)
    with whole_file(final) as temporary:
        path.replace(temporary)
    write_text(manifest_path(final), manifest.to_json())


def _remove(artifact: Path, exporter: Exporter) -> None:
    for path in (artifact, *companions(exporter, artifact).values(), manifest_path(artifact)):
        path.unlink(missing_ok=True)
