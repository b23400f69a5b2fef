"""`profile`: a subject's weights and artifacts, one after another, each in a fresh process."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tinyseg import plugins
from tinyseg.errors import TinysegError, UsageError
from tinyseg.exporters.base import load_exporter, require_runtime, runtime_of
from tinyseg.exporters.subject import Subject, resolve
from tinyseg.profiles.base import Device, Request, Target
from tinyseg.progress import Progress, silent
from tinyseg.runs.records import Manifest, ProfileDocument, ProfileRecord


def profile(
    subject: Subject | str,
    *,
    device: str = "cpu",
    threads: Sequence[int] = (1,),
    batch: int = 1,
    max_seconds: float = 10.0,
    progress: Progress = silent,
) -> ProfileDocument:
    """Measures latency and peak memory.

    Of a run, its weights in PyTorch and every artifact that passed parity; of a network's name,
    fresh weights in PyTorch; of an artifact, that file. Profiles of a run are kept in its folder.

    Args:
        subject: what to measure, resolved or by name.
        device: name of a device.
        threads: thread counts, each a measurement of its own.
        batch: pictures an inference. Artifacts take one at a time, so that another batch measures
            PyTorch alone.
        max_seconds: longest time of one measurement; loading and warm-up come on top.
        progress: told before and after each measurement.

    Raises:
        UsageError: no such device, or an artifact is to take a batch.
        TinysegError: the device cannot be used now.
        ChildError: a runtime refused a file, crashed or took too long.
    """
    subject = resolve(subject) if isinstance(subject, str) else subject
    where = _device(device)
    profiles: list[ProfileRecord] = []
    with _targets(subject, batch) as targets:
        wanted = [(target, count) for target in targets for count in threads]
        for number, (target, count) in enumerate(wanted):
            doing = f"{target.runtime}, {count} thread{'s' if count > 1 else ''}"
            progress("Profiling", number, len(wanted), doing)
            record = where.measure(target, Request(count, max_seconds=max_seconds))
            _keep(subject, target, record)
            profiles.append(record)
        progress("Profiling", len(wanted), len(wanted), "")
    return ProfileDocument(profiles=profiles)


def _device(name: str) -> Device:
    device: Device = plugins.load("devices", name)()
    reason = device.available()
    if reason:
        raise TinysegError(f"The device {name} cannot be used: {reason}")
    return device


@contextmanager
def _targets(subject: Subject, batch: int) -> Iterator[list[Target]]:
    """What to measure; fresh weights lie in a file only as long as the block runs."""
    if subject.artifact and subject.manifest:
        if batch != 1:
            raise UsageError(
                f"{subject.artifact} takes one picture at a time, not {batch}.",
                "Profile its run with --batch, which measures PyTorch alone.",
            )
        yield [_artifact(subject.artifact, subject.manifest)]
    elif subject.run:
        weights = _weights(subject.run.best_weights, "weights/best.safetensors", subject, batch)
        yield [weights, *(_artifacts(subject) if batch == 1 else [])]
    else:
        with tempfile.TemporaryDirectory(prefix="tinyseg-") as folder:
            path = Path(folder, "weights.safetensors")
            subject.save_weights(path)
            yield [_weights(path, f"{subject.name} (fresh weights)", subject, batch)]


def _weights(path: Path, label: str, subject: Subject, batch: int) -> Target:
    if not path.is_file():
        raise TinysegError(
            f"The run {subject.name} has no weights yet.",
            f"Go on with it: tinyseg train --resume {subject.name}",
        )
    network = {
        "network": subject.network_name,
        "arguments": dict(subject.arguments),
        "in_channels": subject.in_channels,
        "classes": len(subject.classes),
    }
    shape = (batch, *subject.input_shape[1:])
    return Target(path, label, "torch", "fp32", shape, network=network)


def _artifacts(subject: Subject) -> list[Target]:
    """Those that passed parity; a file that changed since is refused."""
    assert subject.run
    good = [manifest for manifest in subject.run.manifests if manifest.artifact.passed]
    paths = [subject.run.artifacts / manifest.artifact.path for manifest in good]
    for path in paths:
        resolve(str(path))
    return [_artifact(path, manifest) for path, manifest in zip(paths, good, strict=True)]


def _artifact(path: Path, manifest: Manifest) -> Target:
    record, contents = manifest.artifact, manifest.contents
    exporter = load_exporter(record.format)
    # Files for a target are run through their exporter's session, which takes pictures as networks.
    shape = contents.picture_shape if contents.target else tuple(contents.input.shape)
    runtime = runtime_of(exporter, path)
    require_runtime(runtime, f"Profiling {path.name}")
    return Target(
        path,
        path.name,
        runtime.name,
        record.precision,
        shape,
        record.format,
        record.variant,
        bytes=record.bytes,
    )


def _keep(subject: Subject, target: Target, record: ProfileRecord) -> None:
    """Writes a measurement into the run's folder, if there is one."""
    if subject.run:
        batch = f"-b{record.batch}" if record.batch != 1 else ""
        what = target.variant or record.precision
        name = f"{record.device}-{record.runtime}-{what}-t{record.threads}{batch}.json"
        subject.run.write(f"profiles/{name}", ProfileDocument(profiles=[record]))
