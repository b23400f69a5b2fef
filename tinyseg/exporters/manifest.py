"""What a file says about itself, inside and beside."""

from pathlib import Path

import tinyseg
from tinyseg.exporters.base import Details, Exporter
from tinyseg.exporters.companions import companions
from tinyseg.exporters.subject import Subject, sha256
from tinyseg.runs.machine import now, versions
from tinyseg.runs.records import (
    ArtifactRecord,
    Calibration,
    Contents,
    ExportOptions,
    Manifest,
    Tensor,
)

_PACKAGES = (
    "tinyseg",
    "torch",
    "onnx",
    "onnxscript",
    "onnxslim",
    "onnxruntime",
    "litert-torch",
    "ai-edge-litert",
    "ai-edge-quantizer",
    "tensorflow",
    "tflite-micro",
    "openvino",
    "executorch",
)


def contents_of(subject: Subject, options: ExportOptions) -> Contents:
    """What somebody needs to know to run an artifact made from a subject."""
    last = options.layout == "nhwc"
    one, channels, height, width = subject.input_shape
    pixels, classes = subject.task == "segmentation", len(subject.classes)
    return Contents(
        tinyseg=tinyseg.__version__,
        task=subject.task,
        network=subject.network_name,
        arguments=dict(subject.arguments),
        run=subject.run.name if subject.run else None,
        input=Tensor(
            name="image",
            shape=[one, height, width, channels] if last else [one, channels, height, width],
            dtype="float32",
            layout="NHWC" if last else "NCHW",
            meaning="the picture, resized and normalised as preprocessing says",
        ),
        output=Tensor(
            name="logits",
            shape=_output_shape(classes, (height, width) if pixels else (), last=last),
            dtype="float32",
            layout=("NHWC" if last else "NCHW") if pixels else "NC",
            meaning="logits; their sigmoid (one class) or softmax is the probability",
        ),
        preprocessing=subject.preprocessing,
        classes=list(subject.classes),
        threshold=subject.threshold,
        target=options.target,
    )


def _output_shape(classes: int, sides: tuple[int, ...], *, last: bool) -> list[int]:
    return [1, *sides, classes] if last else [1, classes, *sides]


def manifest_of(
    path: Path,
    record: ArtifactRecord,
    exporter: Exporter,
    details: Details,
    options: ExportOptions,
    calibration: Calibration | None,
) -> Manifest:
    """The manifest of an artifact that lies at ``path`` now; what it holds is read back."""
    return Manifest(
        artifact=record,
        sha256=sha256(path),
        beside={end: sha256(file) for end, file in companions(exporter, path).items()},
        contents=exporter.contents(path),
        options=options,
        scan=details.scan,
        opset=details.opset,
        holds=exporter.holds(path),
        calibration=calibration,
        versions=tool_versions(),
        created=now(),
    )


def tool_versions() -> dict[str, str]:
    """Versions of what converts and runs artifacts."""
    return versions(_PACKAGES)
