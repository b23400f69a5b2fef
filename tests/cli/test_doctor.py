"""`tinyseg doctor` as users meet it."""

import re
import tomllib
from pathlib import Path

import pytest
import torch

from tests.command import tinyseg
from tinyseg.cli import installation
from tinyseg.runs.records import DoctorDocument, Finding

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def examined(**options) -> tuple[int, dict[str, Finding]]:
    done = tinyseg("doctor", "--json", **options)
    assert done.stdout, done.stderr
    assert done.stderr == ""
    document = DoctorDocument.model_validate_json(done.stdout)
    return done.returncode, {finding.part: finding for finding in document.findings}


def package(folder: Path, name: str, version: str) -> dict[str, str]:
    """Variables for a process to which a package of that kind is installed."""
    module = name.replace("-", "_")
    about = folder / f"{module}-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / f"{module}.py").touch()
    return {"PYTHONPATH": str(folder)}


def test_it_tells_of_everything_an_installation_is_made_of():
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    assert set(installation.EXTRAS) == set(extras)
    parts = {f"[{extra}]" for extra in extras} | {"Python", "dependencies", "PyTorch"}
    parts |= {"CUDA device", "causal-conv1d", "scan: native", "scan: chunked", "scan: reference"}
    code, findings = examined()
    assert code == (1 if any(f.state == "broken" for f in findings.values()) else 0)
    assert parts <= set(findings)
    assert findings["PyTorch"].version == torch.__version__


@pytest.mark.parametrize("width", [80, 160])
def test_the_table_fits_the_terminal_and_loses_nothing(width):
    done = tinyseg("doctor", environment={"COLUMNS": str(width)})
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in done.stdout
    assert lines[-1].startswith("The scan that 'auto' takes on cpu: ")
    cells = " ".join(re.sub("[│┃]", " ", done.stdout).split())
    for finding in examined()[1].values():
        assert finding.part in cells
        assert finding.says.split()[-1] in cells


def test_what_is_not_installed_comes_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(installation, "requires", lambda _: ['no-such>=1; extra == "tiff"'])
    [found] = installation._extras()
    assert (found.part, found.state, found.says) == (
        "[tiff]",
        "absent",
        "Reads compressed TIFFs: no-such is not installed. "
        "Install with: pip install 'tinyseg[tiff]'",
    )


def test_what_is_for_another_system_is_not_asked_for(monkeypatch):
    markers = ('sys_platform == "never" and extra == "x"', 'sys_platform == "never"')
    monkeypatch.setattr(installation, "requires", lambda _: [f"no-such; {m}" for m in markers])
    assert list(installation._extras()) == []
    assert installation._dependencies().says.startswith("All 0 are here")


def test_a_version_that_does_not_fit_is_a_failure(tmp_path):
    code, findings = examined(environment=package(tmp_path, "imagecodecs", "2020.1.1"))
    assert (code, findings["[tiff]"].state) == (1, "broken")
    assert "imagecodecs is 2020.1.1 and should be >=2025.3" in findings["[tiff]"].says
    code, findings = examined(environment=package(tmp_path / "other", "filelock", "1.0"))
    assert (code, findings["dependencies"].state) == (1, "broken")
    assert "filelock is 1.0 and should be >=3.12" in findings["dependencies"].says


def test_compiled_parts_that_do_not_load_are_a_failure(tmp_path):
    package(tmp_path, "mamba-ssm", "2.3.0")
    (tmp_path / "causal_conv1d_cuda.py").write_text("raise ImportError('undefined symbol: _ZN3')")
    code, findings = examined(environment=package(tmp_path, "causal-conv1d", "1.5.0"))
    assert (code, findings["scan: cuda"].state) == (1, "broken")
    assert "without its compiled scan" in findings["scan: cuda"].says
    assert findings["scan: cuda"].version == "2.3.0"
    assert findings["causal-conv1d"].state == "broken"
    assert "undefined symbol" in findings["causal-conv1d"].says


def test_a_torch_that_does_not_load_is_said_and_the_rest_goes_on(tmp_path):
    (tmp_path / "torch.py").write_text("raise OSError('libgomp.so.1: cannot open')")
    code, findings = examined(environment={"PYTHONPATH": str(tmp_path)})
    assert (code, findings["PyTorch"].state) == (1, "broken")
    assert "libgomp.so.1: cannot open" in findings["PyTorch"].says
    assert "[dev]" in findings
    assert "scan: native" not in findings
