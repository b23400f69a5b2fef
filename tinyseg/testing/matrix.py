"""Every network in every format and precision: one cell at a time, small, by the real export."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tinyseg.errors import TinysegError
from tinyseg.exporters.export import export_all
from tinyseg.exporters.subject import Subject, resolve
from tinyseg.networks import known
from tinyseg.progress import Progress, silent
from tinyseg.runs.records import (
    ArtifactRecord,
    FailureRecord,
    MatrixCell,
    Precision,
)

_SIDE = 64
_DECODER = (16, 16, 8)
_STAGES = {"depths": (1, 1, 1, 1), "decoder_width": 16}
_U = (4, 8, 16, 16, 32)

#: Arguments that make a network small and leave all its kinds of layers; others are as they are.
SMALL: Mapping[str, Mapping[str, Any]] = {
    "resnet18-seg": {"depths": (1, 1, 1, 1), "decoder_channels": _DECODER},
    "resnet50": {"depths": (1, 1, 1, 1)},
    "resnet50-seg": {"depths": (1, 1, 1, 1), "decoder_channels": _DECODER},
    "resnet9": {"base_channels": 8},
    "segformer": {**_STAGES, "widths": (8, 16, 32, 64)},
    "segformer-b0": {**_STAGES, "widths": (8, 16, 40, 64)},
    "segvit": {"width": 24, "depth": 3, "levels": (0, 1, 2), "decoder_depth": 2},
    "umamba-bot": {"channels": _U},
    "umamba-bot-pp": {"channels": _U},
    "umamba-enc": {"channels": (8, 16, 16, 32)},  # as deep as the others it loses digits of float32
    "unet": {"base_channels": 4, "depth": 3},
    "vim": {"width": 24, "depth": 2},
    "vit": {"width": 24, "depth": 2, "heads": 2, "head_width": 12, "mlp_width": 48},
}


def small_subject(name: str) -> Subject:
    """A registered network with fresh weights, small pictures and few layers."""
    network = known(name)
    side = min(network.size, _SIDE)
    arguments = dict(SMALL.get(name, {})) | ({"size": side} if network.one_size else {})
    return resolve(name, size=side, arguments=arguments)


def cells(
    name: str, format: str, precisions: Sequence[Precision], progress: Progress = silent
) -> list[MatrixCell]:
    """Exports a network in one format and some precisions, and tells what became of each.

    Raises:
        MissingExtraError: the format's packages are not installed.
        UsageError: the format has no such precision.
    """
    subject = small_subject(name)
    with tempfile.TemporaryDirectory(prefix="tinyseg-") as folder:
        try:
            outcome = export_all(
                subject,
                [format],
                precisions=precisions,
                calibration_images=16,
                out=Path(folder),
                evaluate=False,
                progress=progress,
            )
        except TinysegError as error:
            if error.exit_code != TinysegError.exit_code or "cannot be exported" not in str(error):
                raise
            return [_cell(subject, format, each, reason=error.message) for each in precisions]
    made = {record.precision: record for record in outcome.artifacts}
    failed = {failure.precision: failure for failure in outcome.failures}
    return [_cell(subject, format, each, made.get(each), failed.get(each)) for each in precisions]


def _cell(
    subject: Subject,
    format: str,
    precision: Precision,
    record: ArtifactRecord | None = None,
    failure: FailureRecord | None = None,
    reason: str | None = None,
) -> MatrixCell:
    parity = record.parity if record else None
    return MatrixCell(
        network=subject.network_name,
        format=format,
        precision=precision,
        passed=record is not None and failure is None,
        size=subject.preprocessing.size,
        nodes=record.nodes if record else None,
        bytes=record.bytes if record else None,
        seconds=record.seconds if record else None,
        max_abs=parity.max_abs if parity else None,
        snr_db=parity.snr_db if parity else None,
        stage=failure.stage if failure else None,
        reason=failure.reason if failure else reason,
    )
