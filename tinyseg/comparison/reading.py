"""A row of the comparison from the records in a run's folder."""

from collections.abc import Iterable
from typing import Any

from tinyseg.comparison.columns import FORMATS, TORCH
from tinyseg.errors import TinysegError
from tinyseg.evaluation.scores import headline
from tinyseg.runs import Run
from tinyseg.runs.records import (
    ClassificationEvaluation,
    EvaluationRecord,
    ExportStage,
    FailureRecord,
    Manifest,
    ProfileRecord,
    Protocol,
    RunRecord,
)

Row = dict[str, Any]
_STAGES: dict[ExportStage, str] = {
    "convert": "conversion",
    "contents": "precision",
    "run": "running",
    "parity": "parity",
    "accuracy": "accuracy",
}


def score_of(row: Row) -> float | None:
    """A row's headline: Dice of masks, top-1 of whole pictures; None where it was not evaluated."""
    return row["top1"] if row["dice"] is None else row["dice"]


def interval_of(row: Row) -> tuple[float, float] | None:
    """The 95 % interval of a row's headline, where it has one."""
    name = "top1" if row["dice"] is None else "dice"
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return None if low is None else (low, high)


def formats_of(runs: Iterable[Run]) -> list[str]:
    """Formats that have columns: the usual ones and any that a run was exported to."""
    found = {format for run in runs for format in _formats(run)}
    return [*FORMATS, *sorted(found.difference(FORMATS))]


def _formats(run: Run) -> list[str]:
    try:
        exported = [manifest.artifact.label for manifest in run.manifests]
        return exported + [failure.label for failure in run.failures]
    except TinysegError:  # the run's row says so
        return []


def read_row(run: Run) -> Row:
    """What a run's folder holds, by column; what it lacks is left out."""
    try:
        row = _from_record(run, run.record)
        if run.count:
            row |= {"macs": run.count.macs.total}
        if run.evaluation:
            row |= _from_evaluation(run.evaluation)
            if run.record.data is None:
                row |= {"data": run.evaluation.data, "split": run.evaluation.split}
        return row | _from_artifacts(run) | _from_profiles(run)
    except TinysegError as error:
        return {"run": run.name, "state": "unreadable", "problem": error.message}


def _from_record(run: Run, record: RunRecord) -> Row:
    return {
        "run": run.name,
        "network": record.network,
        "task": record.task,
        "parameters": record.parameters,
        "size": record.preprocessing.size,
        "state": record.state,
        "problem": record.error,
        **(_from_training(record, record.protocol) if record.protocol else {}),
    }


def _from_training(record: RunRecord, protocol: Protocol) -> Row:
    return {
        "split": protocol.split,
        "epochs": record.epochs_done,
        "data": record.data.source if record.data else None,
        "seed": protocol.seed,
    }


def _from_evaluation(evaluation: EvaluationRecord) -> Row:
    measure, estimate = headline(evaluation)
    low, high = estimate.ci95 or (None, None)
    if isinstance(evaluation, ClassificationEvaluation):
        return {
            "measure": measure,
            "top1": estimate.mean,
            "top1_low": low,
            "top1_high": high,
            "top5": evaluation.top5.mean,
            "macro_f1": evaluation.macro_f1,
        }
    return {
        "measure": measure,
        "dice": estimate.mean,
        "dice_low": low,
        "dice_high": high,
        "dice_image": evaluation.dice.per_image.mean,
        "dice_pooled": evaluation.dice.pooled,
    }


def _from_artifacts(run: Run) -> Row:
    """The latest of each format; without a size if it failed."""
    tried = [
        *((manifest.created, _from_manifest(manifest)) for manifest in run.manifests),
        *((failure.created, _from_failure(failure)) for failure in run.failures),
    ]
    row: Row = {}
    for _, part in sorted(tried, key=lambda each: each[0]):
        row |= part
    return row


def _from_manifest(manifest: Manifest) -> Row:
    artifact = manifest.artifact
    label, failed = artifact.label, not artifact.passed
    row: Row = {
        f"{label}_kb": None if failed else artifact.bytes / 1000,
        f"{label}_state": "failed" if failed else "passed" if artifact.parity else "unchecked",
        f"{label}_problem": None,
    }
    if artifact.accuracy:
        name = "top1" if artifact.accuracy.measure == "top1" else "dice"
        row[f"{label}_{name}"] = artifact.accuracy.scores[0]
    return row


def _from_failure(failure: FailureRecord) -> Row:
    """A file that failed parity keeps its scores; there is no other that could have any."""
    name = failure.label
    row: Row = {
        f"{name}_kb": None,
        f"{name}_state": "failed",
        f"{name}_problem": f"{_STAGES[failure.stage]}: {failure.reason}",
    }
    return (
        row
        if failure.stage in ("parity", "accuracy")
        else row | {f"{name}_dice": None, f"{name}_top1": None}
    )


def _from_profiles(run: Run) -> Row:
    """Of each runtime the profile of single pictures at the fewest threads."""
    formats = {
        manifest.artifact.path: manifest.artifact.label
        for manifest in run.manifests
        if manifest.artifact.passed
    }
    profiles = [profile for document in run.profiles for profile in document.profiles]
    row: Row = {}
    for profile in sorted(profiles, key=lambda profile: -profile.threads):
        name = TORCH if profile.runtime == TORCH else formats.get(profile.artifact)
        if name and profile.batch == 1:
            row |= _from_profile(name, profile)
    return row


def _from_profile(name: str, profile: ProfileRecord) -> Row:
    machine = profile.machine
    return {
        f"{name}_ms": profile.latency_ms.p50,
        f"{name}_peak_mb": profile.memory.rise_bytes / 1e6,
        f"{name}_threads": profile.threads,
        f"{name}_machine": f"{profile.device}: {machine.processor}, {machine.cores} cores",
        f"{name}_trusted": profile.trusted,
    }
