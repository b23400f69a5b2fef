"""How an export ended: its files, and the formats that failed, which is a result too."""

from dataclasses import dataclass, field
from pathlib import Path

from tinyseg.errors import ChildError, ParityError, TinysegError
from tinyseg.exporters.base import Exporter
from tinyseg.exporters.manifest import tool_versions
from tinyseg.exporters.proof import Proof
from tinyseg.exporters.subject import Subject
from tinyseg.runs import write_text
from tinyseg.runs.machine import now
from tinyseg.runs.records import (
    Accuracy,
    ArtifactRecord,
    ExportDocument,
    ExportStage,
    FailureRecord,
    Parity,
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


def examine(proof: Proof, path: Path, exporter: Exporter) -> tuple[Parity, Accuracy | None]:
    """Compares an artifact with its network.

    Raises:
        StageError: its runtime does not run it, or it gives something else altogether.
    """
    try:
        return proof.examine(path, exporter)
    except ChildError as error:
        raise StageError("run", error) from error
    except TinysegError as error:
        raise StageError("parity", ParityError(error.message, error.mend)) from error


def failure_of(subject: Subject, format: str, stage: ExportStage, reason: str) -> FailureRecord:
    """The record of a failure that happened now."""
    return FailureRecord(
        run=subject.run.name if subject.run else None,
        format=format,
        precision="fp32",
        stage=stage,
        reason=reason,
        versions=tool_versions(),
        created=now(),
    )


def keep_failure(folder: Path, subject: Subject, failure: FailureRecord) -> None:
    """Writes a failure beside the artifacts of its run."""
    write_text(_path(folder, subject, failure.format), failure.to_json())


def forget_failure(folder: Path, subject: Subject, format: str) -> None:
    """Removes the record of an earlier failure, if there is one."""
    _path(folder, subject, format).unlink(missing_ok=True)


def require_parity(name: str, parity: Parity | None) -> None:
    """Raises a `StageError` if a file failed parity."""
    if parity and not parity.passed:
        reason = (
            f"probabilities differ by up to {parity.max_abs:.2g}, "
            f"logits by {parity.logits:.2g} of their range."
        )
        error = ParityError(
            f"{name} failed parity: {reason}", "Do not ship it; the other formats may do."
        )
        raise StageError("parity", error, reason)


def _path(folder: Path, subject: Subject, format: str) -> Path:
    return folder / f"{subject.name}.{format}.failure.json"
