"""What is installed here, what is missing, and how to get it."""

import os
import platform
import re
import warnings
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from tinyseg import native
from tinyseg.errors import install_command
from tinyseg.runs.records import DoctorDocument, Finding, FindingState

#: What each optional part is for.
EXTRAS = {
    "tflite": "Exports to TFLite",
    "openvino": "Exports to OpenVINO",
    "executorch": "Exports to ExecuTorch",
    "tensorflow": "Runs TFLite files in TensorFlow too",
    "mcu": "Exports to TFLite for microcontrollers",
    "kaggle": "Fetches data from Kaggle",
    "tiff": "Reads compressed TIFFs",
    "triton": "Scans on CUDA devices without nvcc",
    "cuda": "Scans on CUDA devices with mamba-ssm's kernels",
    "bench": "The rivals of the benchmarks",
    "dev": "Tests and checks",
}
_THREADS = ("on one thread", "on threads made for each call", "on PyTorch's threads")
_EXTRA = re.compile(r"""extra\s*==\s*["']([\w.-]+)["']""")


def examine() -> DoctorDocument:
    """Looks at this installation; imports torch and whatever scans with compiled code."""
    findings = [_python(), _dependencies(), *_torch_and_scan(), *_extras()]
    return DoctorDocument(findings=findings, scan=_chosen(findings))


def _python() -> Finding:
    where = f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    return _found("Python", "ok", f"On {where}.", platform.python_version())


def _dependencies() -> Finding:
    needed = _requirements().pop("", [])
    if wrong := [fault for requirement in needed for fault in _faults(requirement)]:
        return _found(
            "dependencies",
            "broken",
            f"{'; '.join(wrong)}. Mend it with: pip install --upgrade tinyseg",
        )
    return _found("dependencies", "ok", f"All {len(needed)} are here, in versions that fit.")


# --- torch and the scan -----------------------------------------------------------------------


def _torch_and_scan() -> Iterator[Finding]:
    try:
        import torch
    except Exception as error:  # an OSError, for one, where a library of its own is missing
        yield _found(
            "PyTorch",
            "broken",
            f"It does not load ({_first_line(error)}). "
            "Install it anew with: pip install --force-reinstall torch",
        )
        return
    threads = torch.get_num_threads()
    many = f"{threads} threads" if threads > 1 else "one thread"
    yield _found("PyTorch", "ok", f"Computes on {many}.", torch.__version__)
    yield _cuda_device()
    yield from _backends()
    yield _causal_conv1d()


def _cuda_device() -> Finding:
    import torch

    if torch.cuda.is_available():
        return _found("CUDA device", "ok", f"{torch.cuda.get_device_name()}.", torch.version.cuda)
    if torch.version.cuda is None:
        says = (
            "This PyTorch is built without CUDA; where there is a device, "
            "https://pytorch.org/get-started has the one to install."
        )
        return _found("CUDA device", "absent", says)
    return _found("CUDA device", "absent", "PyTorch sees none.", torch.version.cuda)


def _backends() -> Iterator[Finding]:
    from tinyseg.scan.backends import BACKENDS

    packages = {"triton": "triton", "cuda": "mamba-ssm"}
    for name, backend in BACKENDS.items():
        part, number = f"scan: {name}", _version(packages.get(name, ""))
        if broken := backend.broken():
            yield _found(part, "broken", broken, number)
        elif missing := backend.unavailable():
            yield _found(part, "absent", missing)
        else:
            yield _found(part, "ok", _strength(name), number)


def _strength(backend: str) -> str:
    """What a backend that works is good for, one sentence."""
    kernels = native.library()
    if backend == "native" and kernels is not None:
        threads = _THREADS[kernels.tinyseg_thread_source()]
        return f"Kernels in C with vectors of {native.vector_width()}, {threads}."
    return {
        "chunked": "PyTorch alone, on any device.",
        "reference": "One step at a time, to compare with.",
        "triton": "Kernels for CUDA devices.",
        "cuda": "mamba-ssm's kernels for CUDA devices.",
    }.get(backend, "It works.")


def _causal_conv1d() -> Finding:
    from tinyseg.scan.mamba_ssm import causal_conv1d_unavailable

    number = _version("causal-conv1d")
    if number is None:
        return _found("causal-conv1d", "absent", "It comes with mamba-ssm: see 'scan: cuda'.")
    if problem := causal_conv1d_unavailable():
        return _found("causal-conv1d", "broken", problem, number)
    return _found("causal-conv1d", "ok", "Short convolutions on CUDA devices.", number)


def _chosen(findings: list[Finding]) -> dict[str, str]:
    """The backend that ``auto`` takes, by device."""
    if any(finding.part == "PyTorch" and finding.state == "broken" for finding in findings):
        return {}
    import torch

    from tinyseg.scan.arguments import Arguments
    from tinyseg.scan.backends import choose

    chosen: dict[str, str] = {}
    for device in ("cpu", *(["cuda"] if torch.cuda.is_available() else [])):
        sequence, states = torch.ones(1, 1, 1, device=device), torch.ones(1, 1, device=device)
        arguments = Arguments(sequence, sequence, -states, sequence, sequence)
        with warnings.catch_warnings(action="ignore"):  # of broken backends: that is said above
            chosen[device] = choose("auto", arguments).name
    return chosen


# --- extras -----------------------------------------------------------------------------------


def _extras() -> Iterator[Finding]:
    for extra, requirements in _requirements().items():
        if extra:
            yield _extra(extra, requirements)


def _extra(extra: str, requirements: list[Requirement]) -> Finding:
    part, purpose = f"[{extra}]", EXTRAS.get(extra, "All it needs")
    command = install_command(extra)
    missing = [r.name for r in requirements if _version(r.name) is None]
    unfit = [fault for r in requirements if r.name not in missing for fault in _faults(r)]
    if unfit:
        says = f"{purpose}: {'; '.join(unfit)}. Mend it with: {command}"
        return _found(part, "broken", says)
    if missing:
        are = "is" if len(missing) == 1 else "are"
        install = "See 'scan: cuda'." if extra == "cuda" else f"Install with: {command}"
        says = f"{purpose}: {' and '.join(missing)} {are} not installed. {install}"
        return _found(part, "absent", says)
    return _found(part, "ok", f"{purpose}.")


def _requirements() -> dict[str, list[Requirement]]:
    """What the package asks for, by extra; "" holds what it cannot do without."""
    found: dict[str, list[Requirement]] = {}
    for line in requires("tinyseg") or []:
        requirement = Requirement(line)
        extra = _EXTRA.search(str(requirement.marker))
        name = extra.group(1) if extra else ""
        if requirement.marker is None or requirement.marker.evaluate({"extra": name}):
            found.setdefault(name, []).append(requirement)
    return found


def _faults(requirement: Requirement) -> list[str]:
    installed = _version(requirement.name)
    if installed is None:
        return [f"{requirement.name} is not installed"]
    if requirement.specifier.contains(installed, prereleases=True):
        return []
    return [f"{requirement.name} is {installed} and should be {requirement.specifier}"]


def _version(package: str) -> str | None:
    try:
        return version(package) if package else None
    except PackageNotFoundError:
        return None


def _found(part: str, state: FindingState, says: str, number: str | None = None) -> Finding:
    return Finding(part=part, state=state, version=number, says=says)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
