"""What a file says about itself, inside and beside."""

from pathlib import Path

import tinyseg
from tinyseg.exporters.base import Details, Exporter
from tinyseg.exporters.subject import Subject, manifest_path, sha256
from tinyseg.runs import write_text
from tinyseg.runs.machine import now, versions
from tinyseg.runs.records import ArtifactRecord, Contents, Manifest, Tensor

_PACKAGES = {"onnxscript", "onnxslim", "litert-torch", "ai-edge-litert", "onnxruntime", "onnx"}


def contents_of(subject: Subject) -> Contents:
    """What somebody needs to know to run an artifact made from a subject."""
    shape = subject.input_shape
    return Contents(
        tinyseg=tinyseg.__version__,
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
            shape=[1, len(subject.classes), *shape[2:]],
            dtype="float32",
            layout="NCHW",
            meaning="logits, a channel a class; the probability is their sigmoid",
        ),
        preprocessing=subject.preprocessing,
        classes=list(subject.classes),
        threshold=subject.threshold,
    )


def write_manifest(
    path: Path, exporter: Exporter, record: ArtifactRecord, contents: Contents, details: Details
) -> None:
    """Writes the manifest beside an artifact."""
    manifest = Manifest(
        artifact=record,
        sha256=sha256(path),
        contents=contents,
        scan=details.scan,
        opset=details.opset,
        versions=versions(("tinyseg", "torch", *sorted(_PACKAGES))),
        created=now(),
    )
    write_text(manifest_path(path), manifest.to_json())
