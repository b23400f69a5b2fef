"""What all tests share."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tinyseg import plugins

THIRD_PARTY = Path(__file__).parent / "third_party"

#: Makes packages look as if they were not installed, in whatever process starts with it.
HIDE = """
import os, sys
class Hidden:
    def __init__(self, finder): self.finder = finder
    def __getattr__(self, name): return getattr(self.finder, name)
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in os.environ["HIDDEN"].split(","):
            return None
        return self.finder.find_spec(name, path, target)
sys.meta_path[:] = [Hidden(finder) for finder in sys.meta_path]
"""

#: Vector widths of the native kernels, by `tinyseg_use_level`.
LEVELS = {"base": 0, "avx2": 1, "avx512": 2}

OnceForAll = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real pictures: lgg, lgg-jpeg, dsb2018, ph2; beside the checkout or named."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("TINYSEG_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real pictures at {folder}; name their folder in TINYSEG_TEST_DATA")
    return folder


@pytest.fixture
def third_party(monkeypatch) -> Iterator[None]:
    """Somebody else's package, installed here and in processes started from here."""
    monkeypatch.syspath_prepend(str(THIRD_PARTY))
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(THIRD_PARTY), *filter(None, [before])]))
    plugins.found.cache_clear()
    yield
    plugins.found.cache_clear()


@pytest.fixture
def hide(tmp_path) -> Callable[..., dict[str, str]]:
    """Variables for a process to which the named packages are not installed."""
    folder = tmp_path / "hide"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HIDE)
    return lambda *packages: {"PYTHONPATH": str(folder), "HIDDEN": ",".join(packages)}


@pytest.fixture(scope="session")
def once_for_all(tmp_path_factory, worker_id) -> OnceForAll:
    """Makes a folder once, also where several processes run the tests."""
    base = tmp_path_factory.getbasetemp()
    root = base if worker_id == "master" else base.parent

    def folder(name: str, make: Callable[[Path], object]) -> Path:
        path = root / name
        with FileLock(f"{path}.lock"):
            done = Path(f"{path}.done")
            if not done.exists():
                shutil.rmtree(path, ignore_errors=True)
                make(path)
                done.touch()
        return path

    return folder


@pytest.fixture(scope="session")
def finished_runs(once_for_all) -> Path:
    """A folder of two finished runs, ``ul-vm-unet-drawn-1`` and ``unet-drawn-1``; look only."""
    from tests.finished_runs import draw_patients, finished_run

    def make(folder: Path) -> None:
        data = str(draw_patients(folder / "data"))
        finished_run(folder, "ul-vm-unet-drawn-1", data, "ul-vm-unet")
        finished_run(folder, "unet-drawn-1", data, "unet", {"base_channels": 4, "depth": 3})

    return once_for_all("finished", make)


@pytest.fixture(scope="session")
def exported_runs(once_for_all, finished_runs) -> Path:
    """The finished runs, exported to ONNX and TFLite by the command; look only.

    What the command said lies beside each run, in ``RUN.json`` and ``RUN.txt``.
    """
    from tests.command import tinyseg

    def make(folder: Path) -> None:
        for run in sorted(path.parent for path in finished_runs.glob("*/run.json")):
            shutil.copytree(run, folder / run.name)
            done = tinyseg("export", folder / run.name, "--json")
            assert done.returncode == 0, done.stderr
            (folder / f"{run.name}.json").write_text(done.stdout)
            (folder / f"{run.name}.txt").write_text(done.stderr)

    return once_for_all("exported", make)


@pytest.fixture
def runs(exported_runs, tmp_path) -> Path:
    """A copy of the exported runs of one's own."""
    return Path(shutil.copytree(exported_runs, tmp_path / "runs"))


@pytest.fixture(params=LEVELS)
def width(request) -> Iterator[str]:
    """Runs a test with vectors of each width; those that this processor lacks are skipped."""
    from tinyseg import native

    library, level = native.library(), LEVELS[request.param]
    if library is None:
        pytest.skip(str(native.unavailable()))
    before = library.tinyseg_level()
    if library.tinyseg_use_level(level) != level:
        library.tinyseg_use_level(before)
        pytest.skip(f"this processor or build has no {request.param}")
    yield request.param
    library.tinyseg_use_level(before)


@pytest.fixture
def threads() -> Iterator[None]:
    """Lets a test change how many threads there are."""
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
