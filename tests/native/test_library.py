"""Which file is opened, and what is said of one that is not."""

import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from tests.native.compiling import SOURCES
from tinyseg import native

opening = import_module("tinyseg.native.library")  # the package has a function of that name


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Where libraries are looked for; empty, and not in a checkout."""
    place = tmp_path / "site-packages" / "tinyseg" / "native"
    place.mkdir(parents=True)
    monkeypatch.setattr(opening, "_FOLDER", place)
    opening._opened.cache_clear()
    yield place
    opening._opened.cache_clear()


def build(code: str, out: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    command = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-x", "none", "-o", str(out)]
    subprocess.run(command, input=code, text=True, check=True)


def of_version(number: int) -> str:
    return f"int tinyseg_abi(void) {{ return {number}; }}"


def test_the_two_halves_of_the_version_agree():
    assert f"#define TINYSEG_ABI {opening.ABI}\n" in (SOURCES / "abi.c").read_text()


def test_no_library_is_unavailable_and_not_broken(folder):
    assert (native.library(), native.broken(), native.vector_width()) == (None, None, None)
    assert "Install one (on Debian: apt install gcc" in str(native.unavailable())
    assert "then: pip install --force-reinstall" in str(native.unavailable())


def test_in_a_checkout_the_mend_installs_the_checkout(folder):
    checkout = folder.parents[1]
    (checkout / "pyproject.toml").touch()
    assert str(native.unavailable()).endswith(f"then: pip install --no-deps -e {checkout}")


def test_a_file_that_is_no_library_is_said_to_be_broken(folder):
    (folder / "_kernels.so").write_text("not a library")
    assert native.library() is None
    says = str(native.unavailable())
    assert native.broken() == says
    assert says.startswith("The native kernels in _kernels.so cannot be opened (")
    assert "Build it anew: pip install" in says


def test_a_library_without_a_version_is_said_to_be_broken(folder):
    build("int something_else(void) { return 0; }", folder / "_kernels.so")
    assert "cannot be opened" in str(native.broken())


def test_a_library_of_another_version_is_not_used(folder):
    build(of_version(opening.ABI + 7), folder / "_kernels.so")
    assert native.library() is None
    says = f"The native kernels in _kernels.so are of version {opening.ABI + 7}, not {opening.ABI}."
    assert str(native.broken()).startswith(says)


def test_a_library_that_opens_is_used_beside_one_that_does_not(folder):
    build(of_version(opening.ABI), folder / "_kernels.here.so")
    (folder / "_kernels.there.so").write_text("for another machine")
    assert native.library() is not None
    assert (native.unavailable(), native.broken()) == (None, None)
