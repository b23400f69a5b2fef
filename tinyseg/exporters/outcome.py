"""How an export ended: its files, and the formats that failed, which is a result too."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tinyseg.errors import ChildError, ParityError, TinysegError
from tinyseg.exporters.base import Exporter
from tinyseg.exporters.convert import ConversionError
from tinyseg.exporters.manifest import tool_versions
from tinyseg.exporters.places import Place
from tinyseg.exporters.proof import Proof
from tinyseg.exporters.subject import Subject
from tinyseg.runs import write_text
from tinyseg.runs.machine import now
from tinyseg.runs.records import (
    Accuracy,
    ArtifactRecord,
    ExportDocument,
    ExportOptions,
    ExportStage,
    FailureRecord,
    Parity,
    Precision,
)


class StageError(Exception):
    """One format failed at one stage.

    Args:
        stage: where.
        error: what the user is told.
        reason: what the record says, where that is less.
    """

    def __init__(self, stage: ExportStage, error: TinysegError, reason: str = "") -> None:
        super().__init__(stage)
        self.stage: ExportStage = stage
        self.error = error
        self.reason = reason or error.message


@dataclass(frozen=True)
class Outcome:
    """What came of an export, format by format.

    Attributes:
        artifacts: the files, those that failed parity included.
        failures: what failed, and why.
        errors: the same failures as errors, in the same order.
    """

    artifacts: list[ArtifactRecord] = field(default_factory=list[ArtifactRecord])
    failures: list[FailureRecord] = field(default_factory=list[FailureRecord])
    errors: list[TinysegError] = field(default_factory=list[TinysegError])

    @property
    def document(self) -> ExportDocument:
        """What ``tinyseg export --json`` prints."""
        return ExportDocument(artifacts=self.artifacts, failures=self.failures)

    def require(self) -> None:
        """Raises what went wrong, if anything did.

        Raises:
            ParityError: a file does not do what its network does.
            TinysegError: a converter or runtime refused, crashed or took too long.
        """
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            differs = any(isinstance(error, ParityError) for error in self.errors)
            kind = ParityError if differs else TinysegError
            mends = dict.fromkeys(error.mend for error in self.errors if error.mend)
            raise kind(
                " ".join(error.message for error in self.errors), " ".join(mends)
            ) from self.errors[0]


def examine(
    proof: Proof, path: Path, exporter: Exporter, precision: Precision
) -> tuple[Parity, Accuracy | None]:
    """Compares an artifact with its network.

    Raises:
        StageError: its runtime does not run it, or it gives something else altogether.
    """
    try:
        return proof.examine(path, exporter, precision)
    except ChildError as error:
        raise StageError("run", error) from error
    except TinysegError as error:
        raise StageError("parity", ParityError(error.message, error.mend)) from error


def failure_of(
    subject: Subject, format: str, options: ExportOptions, failed: StageError
) -> FailureRecord:
    """The record of a failure that happened now."""
    error = failed.error
    place = error.place if isinstance(error, ConversionError) else Place()
    return FailureRecord(
        run=subject.run.name if subject.run else None,
        format=format,
        variant=options.variant,
        precision=options.precision,
        stage=failed.stage,
        reason=failed.reason,
        operator=place.operator,
        module=place.module,
        source=place.source,
        versions=tool_versions(),
        created=now(),
    )


def keep_failure(folder: Path, subject: Subject, failure: FailureRecord) -> None:
    """Writes a failure beside the artifacts of its run."""
    write_text(_path(folder, subject, failure.label), failure.to_json())


def forget_failure(folder: Path, subject: Subject, label: str) -> None:
    """Removes the record of an earlier failure, if there is one."""
    _path(folder, subject, label).unlink(missing_ok=True)


def require_precision(name: str, precision: Precision, holds: Mapping[str, int]) -> None:
    """Raises a `StageError` if a file holds no weights of the precision that was asked for."""
    wanted = "float16" if precision == "fp16" else "int8" if precision != "fp32" else None
    if wanted and not holds.get(wanted):
        held = ", ".join(sorted(holds)) or "nothing"
        reason = f"{precision} was asked for, and the weights are {held}: no {wanted}."
        raise StageError("contents", ParityError(f"{name}: {reason}", "Do not ship it."), reason)


def require_parity(
    name: str,
    parity: Parity | None,
    accuracy: Accuracy | None = None,
    also: Mapping[str, Parity] | None = None,
) -> None:
    """Raises a `StageError` if a file failed parity, or scores less than its precision may."""
    if parity and not parity.passed:
        reason = _difference(parity)
        raise StageError("parity", _not_passed(f"{name} failed parity: {reason}"), reason)
    for runtime, second in (also or {}).items():
        if not second.passed:
            reason = f"in {runtime}, {_difference(second)}"
            raise StageError("parity", _not_passed(f"{name} failed parity: {reason}"), reason)
    if accuracy and not accuracy.passed:
        of_artifact, of_run = accuracy.scores
        reason = f"it scores {of_artifact:.4f}, its run {of_run:.4f}."
        raise StageError("accuracy", _not_passed(f"{name} failed on accuracy: {reason}"), reason)


def _difference(parity: Parity) -> str:
    if parity.least_snr_db is not None:
        ratio = "no signal" if parity.snr_db is None else f"{parity.snr_db:.1f} dB of signal"
        return f"{ratio} over noise, where {parity.least_snr_db:.0f} dB are the least."
    return (
        f"probabilities differ by up to {parity.max_abs:.2g}, "
        f"logits by {parity.logits:.2g} of their range."
    )


def _not_passed(message: str) -> ParityError:
    return ParityError(message, "Do not ship it; the other formats may do.")


def _path(folder: Path, subject: Subject, label: str) -> Path:
    return folder / f"{subject.name}.{label}.failure.json"
