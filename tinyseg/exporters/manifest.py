"""What a file says about itself, inside and beside."""

from pathlib import Path

import tinyseg
from tinyseg.exporters.base import Details
from tinyseg.exporters.subject import Subject, sha256
from tinyseg.runs.machine import now, versions
from tinyseg.runs.records import ArtifactRecord, Contents, Manifest, Tensor

_PACKAGES = (
    "tinyseg",
    "torch",
    "onnx",
    "onnxscript",
    "onnxslim",
    "onnxruntime",
    "litert-torch",
    "ai-edge-litert",
)


def contents_of(subject: Subject) -> Contents:
    """What somebody needs to know to run an artifact made from a subject."""
    shape, pixels = subject.input_shape, subject.task == "segmentation"
    return Contents(
        tinyseg=tinyseg.__version__,
        task=subject.task,
        network=subject.network_name,
        arguments=dict(subject.arguments),
        run=subject.run.name if subject.run else None,
        input=Tensor(
            name="image",
            shape=list(shape),
            dtype="float32",
            layout="NCHW",
            meaning="the picture, resized and normalised as preprocessing says",
        ),
        output=Tensor(
            name="logits",
            shape=[1, len(subject.classes), *(shape[2:] if pixels else ())],
            dtype="float32",
            layout="NCHW" if pixels else "NC",
            meaning="logits; their sigmoid (one class) or softmax is the probability",
        ),
        preprocessing=subject.preprocessing,
        classes=list(subject.classes),
        threshold=subject.threshold,
    )


def manifest_of(
    path: Path, record: ArtifactRecord, contents: Contents, details: Details
) -> Manifest:
    """The manifest of an artifact that lies at ``path`` now."""
    return Manifest(
        artifact=record,
        sha256=sha256(path),
        contents=contents,
        scan=details.scan,
        opset=details.opset,
        versions=tool_versions(),
        created=now(),
    )


def tool_versions() -> dict[str, str]:
    """Versions of what converts and runs artifacts."""
    return versions(_PACKAGES)
