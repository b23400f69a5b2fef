"""What pip makes of the package, with and without a compiler; what then is said and used."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.native.compiling import CHECKOUT, extension
from tinyseg.runs.records import DoctorDocument, Finding

SDIST = "from setuptools import build_meta; build_meta.build_sdist('made')"
LIBRARY = "tinyseg/native/_kernels*.so"


def run(*command: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "CC"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """The source distribution, unpacked."""
    folder = tmp_path_factory.mktemp("sources")
    copy = folder / "copy"
    ignored = shutil.ignore_patterns("*.so", "__pycache__", "*.egg-info")
    shutil.copytree(CHECKOUT / "tinyseg", copy / "tinyseg", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, copy)
    made = run("-c", SDIST, cwd=copy)
    assert made.returncode == 0, made.stderr
    [archive] = (copy / "made").glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def installed(sources: Path, folder: Path, **variables: str) -> Path:
    """A wheel of the sources, unpacked into a folder to import from."""
    built = Path(shutil.copytree(sources, folder / "sources"))
    command = ["-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "-w", str(folder), "."]
    made = run(*command, cwd=built, **variables)
    assert made.returncode == 0, made.stdout + made.stderr
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(folder / "installed")
    return folder / "installed"


@pytest.fixture(scope="module")
def compiled(sources, tmp_path_factory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    return installed(sources, tmp_path_factory.mktemp("compiled"), CC="gcc")


def doctor(package: Path) -> tuple[int, DoctorDocument, Finding]:
    """Exit code, what it says of all and of the native scan."""
    import_from = {"PYTHONPATH": str(package)}
    said = run("-m", "tinyseg", "doctor", "--json", cwd=package, **import_from)
    assert said.stdout, said.stderr
    assert said.stderr == ""
    document = DoctorDocument.model_validate_json(said.stdout)
    [native] = (finding for finding in document.findings if finding.part == "scan: native")
    return said.returncode, document, native


def test_the_source_distribution_holds_all_the_c(sources):
    named = {*extension()["sources"], *extension()["depends"]}
    assert named <= {str(path.relative_to(sources)) for path in sources.rglob("*.[ch]")}


@pytest.mark.parametrize("compiler", ["one that fails", "none"])
def test_without_a_compiler_all_but_the_kernels_is_installed(sources, compiler, tmp_path):
    without = {"CC": "/bin/false"} if compiler == "one that fails" else {"PATH": str(tmp_path)}
    package = installed(sources, tmp_path, **without)
    assert not list(package.glob(LIBRARY))
    code, document, native = doctor(package)
    assert (code, document.scan["cpu"], native.state) == (0, "chunked", "absent")
    assert "without a C compiler" in native.says
    assert "pip install --force-reinstall --no-deps --no-cache-dir tinyseg" in native.says


def test_a_wheel_holds_the_library_and_no_sources(compiled):
    assert len(list(compiled.glob(LIBRARY))) == 1
    assert not list(compiled.rglob("*.[ch]"))
    code, document, native = doctor(compiled)
    assert (code, document.scan["cpu"], native.state) == (0, "native", "ok")
    assert "floats" in native.says


def test_a_library_that_does_not_open_is_said_to_be_broken(compiled, tmp_path):
    package = Path(shutil.copytree(compiled, tmp_path / "package"))
    [library] = package.glob(LIBRARY)
    library.write_text("not a library")
    code, document, native = doctor(package)
    assert (code, document.scan["cpu"], native.state) == (1, "chunked", "broken")
    assert "cannot be opened" in native.says
    assert "Build it anew" in native.says
