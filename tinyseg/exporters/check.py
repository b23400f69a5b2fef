"""`check`: what a file that came from anywhere does, beside its run. Nothing is written."""

from pathlib import Path

from pydantic import ValidationError

from tinyseg import plugins
from tinyseg.errors import ParityError, TinysegError, UsageError
from tinyseg.exporters.base import Exporter, load_exporter, require_runtime, runtime_of
from tinyseg.exporters.companions import FAILED, companions, size
from tinyseg.exporters.explain import explain as explain_file
from tinyseg.exporters.manifest import tool_versions
from tinyseg.exporters.outcome import StageError, examine, require_parity
from tinyseg.exporters.proof import Proof
from tinyseg.exporters.subject import Subject, files_of, manifest_path, resolve, sha256
from tinyseg.progress import Progress, silent
from tinyseg.runs import Run
from tinyseg.runs.machine import now
from tinyseg.runs.records import Manifest, Precision, ProofDocument


def check(
    file: Path | str,
    subject: Subject | None = None,
    *,
    format: str | None = None,
    precision: Precision | None = None,
    runs: Path = Path("runs"),
    evaluate: bool = True,
    explain: bool = False,
    progress: Progress = silent,
) -> ProofDocument:
    """Compares a file, run by its own runtime, with its run, as an export does.

    Args:
        file: the artifact; its format is the manifest's beside it, or as its name ends.
        subject: the run that it should do as well as; by default the one in whose folder it lies,
            or that its manifest names.
        format: the file's, where several formats' files end alike.
        precision: that says what passes; by default the manifest's, or fp32.
        runs: the folder that holds the runs.
        evaluate: also compare scores with the run's own, on its test pictures.
        explain: also walk the network's stages.
        progress: told what is being done.

    Raises:
        UsageError: nothing says which format it has.
        TinysegError: there is no such file, nothing says which run it is of, or the run's pictures
            are not where they were.
        MissingExtraError: its runtime is not installed.
    """
    path = Path(file)
    if not path.is_file():
        raise TinysegError(f"There is no file '{path}'.")
    manifest = _manifest(path)
    exporter = _exporter(path, manifest, format)
    runtime = runtime_of(exporter, path)
    require_runtime(runtime, f"Checking {path.name}")
    for other in companions(exporter, path).values():
        if not other.is_file():
            raise TinysegError(f"There is no file '{other}', which belongs to {path.name}.")
    subject = subject or _subject(path, manifest, runs)
    asked = precision or (manifest.options.precision if manifest else "fp32")
    network = subject.network()
    proof = Proof.of(subject, network, evaluate=evaluate, progress=progress)
    progress("Checking", 0, 1, path.name)
    parity = accuracy = stage = reason = None
    try:
        parity, accuracy = examine(proof, path, exporter, asked)
        require_parity(path.name, parity, accuracy)
    except StageError as failed:
        stage, reason = failed.stage, failed.reason
    explanation = explain_file(proof, network, path, exporter) if explain else None
    progress("Checking", 1, 1, "")
    return ProofDocument(
        path=str(path),
        format=exporter.name,
        precision=asked,
        runtime=runtime.name,
        run=subject.run.name if subject.run else subject.network_name,
        bytes=size(exporter, path),
        sha256=sha256(path),
        described=manifest is not None,
        passed=stage is None,
        stage=stage,
        reason=reason,
        parity=parity,
        accuracy=accuracy,
        explanation=explanation,
        versions=tool_versions(),
        created=now(),
    )


def require_proof(document: ProofDocument) -> None:
    """Raises a `ParityError` if a checked file failed."""
    if document.passed:
        return
    does = "does not run" if document.stage == "run" else f"does not do what {document.run} does"
    raise ParityError(f"{Path(document.path).name} {does}: {document.reason}", "Do not ship it.")


def _manifest(path: Path) -> Manifest | None:
    """The manifest beside a file, if it is this file's."""
    try:
        manifest = Manifest.model_validate_json(manifest_path(path).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    files = files_of(path, manifest)
    same = all(file.is_file() and sha256(file) == digest for file, digest in files.items())
    return manifest if same else None


def _exporter(path: Path, manifest: Manifest | None, format: str | None) -> Exporter:
    if format or manifest:
        return load_exporter(format or (manifest.artifact.format if manifest else ""))
    name = path.name.removesuffix(FAILED)
    known: list[Exporter] = []
    for each in plugins.names("exporters"):
        try:
            known.append(load_exporter(each))
        except TinysegError:  # somebody's package is broken, which is not the question here
            continue
    fitting = [exporter for exporter in known if name.endswith(exporter.suffix)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        said = f"Files of several formats end like {path.name}"
    else:
        said = f"No format's files end like {path.name}"
    listed = ", ".join(exporter.name for exporter in fitting or known)
    raise UsageError(f"{said}: {listed}.", "Say which it is: --format NAME.")


def _subject(path: Path, manifest: Manifest | None, runs: Path) -> Subject:
    around = path.resolve().parent.parent
    if (around / "run.json").is_file():
        return resolve(str(around))
    name = manifest.contents.run if manifest else None
    if name and any((folder / "run.json").is_file() for folder in (Path(name), runs / name)):
        return resolve(str(Run.open(name, runs).path))
    if name:
        raise TinysegError(
            f"{path} is of the run '{name}', which is not in '{runs}'.", "Say where: --run RUN."
        )
    raise TinysegError(f"Nothing says which run {path} is of.", "Say which: --run RUN.")
