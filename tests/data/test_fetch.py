"""Fetching, with a stand-in for kagglehub and a server of one's own: no network."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.command import Result, tinyseg
from tests.data.cifar_sets import write_cifar10, write_cifar100
from tinyseg.data.fetch import CIFAR_ARCHIVES

KAGGLEHUB = """
import os
from pathlib import Path

def dataset_download(handle, **options):
    print("Downloading", handle)
    if os.environ["ANSWER"] == "offline":
        raise OSError("Name or service not known\\nand more lines")
    folder = Path(os.environ["CACHE"]) / handle
    patient = folder / "kaggle_3m" / "TCGA_X"
    if os.environ["ANSWER"] == "other":
        patient = folder / "something"
    patient.mkdir(parents=True, exist_ok=True)
    from PIL import Image
    for name in ("TCGA_X_1.tif", "TCGA_X_1_mask.tif"):
        Image.new("L", (8, 8), 255).save(patient / name)
    (folder / "lgg-mri-segmentation" / "kaggle_3m").mkdir(parents=True, exist_ok=True)
    return str(folder)
"""


@pytest.fixture
def fetch(tmp_path):
    """Runs ``tinyseg data fetch`` with a kagglehub that answers as told."""

    def run(answer, *options):
        package = tmp_path / "packages" / "kagglehub"
        package.mkdir(parents=True, exist_ok=True)
        missing = "raise ImportError('no kagglehub here')"
        (package / "__init__.py").write_text(missing if answer == "missing" else KAGGLEHUB)
        path = os.pathsep.join([str(package.parent), os.environ.get("PYTHONPATH", "")])
        return tinyseg(
            "data", "fetch", "lgg", *options,
            environment={"PYTHONPATH": path, "ANSWER": answer, "CACHE": str(tmp_path / "cache")},
        )  # fmt: skip

    return run


def test_it_tells_the_licence_where_the_data_is_and_what_comes_next(fetch, tmp_path):
    run = fetch("data")
    folder = f"{tmp_path}/cache/mateuszbuda/lgg-mri-segmentation"
    assert (run.returncode, run.stdout) == (0, f"{folder}\n")
    notes = " ".join(run.stderr.split())
    assert notes.index("CC BY-NC-SA 4.0") < notes.index("Downloading")
    assert "arXiv:1906.03720" in notes
    assert "tinyseg data describe" in notes
    assert "1 images; 0 errors" in tinyseg("data", "check", folder).stdout


def test_a_folder_of_ones_own_gets_the_patients_once(fetch, tmp_path):
    run = fetch("data", "--out", tmp_path / "lgg")
    assert run.returncode == 0
    assert sorted(p.name for p in (tmp_path / "lgg").rglob("*")) == [
        "TCGA_X", "TCGA_X_1.tif", "TCGA_X_1_mask.tif", "kaggle_3m",
    ]  # fmt: skip
    again = fetch("data", "--out", tmp_path / "lgg")
    assert (again.returncode, "is not empty" in again.stderr) == (1, True)
    assert "Downloading" not in again.stderr


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("missing", "pip install 'tinyseg[kaggle]'"),
        ("offline", "could not be downloaded (Name or service not known and more lines)"),
        ("other", "has no folder kaggle_3m"),
    ],
)
def test_failures_get_one_sentence_and_leave_nothing(fetch, tmp_path, answer, sentence):
    run = fetch(answer, "--out", tmp_path / "lgg")
    assert (run.returncode, run.stdout) == (1, "")
    assert sentence in " ".join(run.stderr.split())
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "lgg").exists()
    assert not list(tmp_path.glob(".lgg-*"))


def test_only_known_datasets_are_fetched():
    run = tinyseg("data", "fetch", "imagenet")
    assert (run.returncode, run.stdout) == (2, "")
    assert "lgg" in run.stderr


@dataclass
class Server:
    """Answers every request with what it holds, of a length that it claims."""

    address: str
    content: bytes = b""
    status: int = 200
    claimed: int | None = None
    requests: int = 0


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            holds.requests += 1
            self.send_response(holds.status)
            self.send_header("Content-Length", str(holds.claimed or len(holds.content)))
            self.end_headers()
            self.wfile.write(holds.content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        holds = Server(f"http://127.0.0.1:{http.server_address[1]}/cifar.tar.gz")
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield holds
        http.shutdown()
        thread.join()


def archive(folder: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as file:
        file.add(folder, folder.name)
    return packed.getvalue()


#: The command, with another address and checksum than the makers'.
PROGRAM = """
import sys
from dataclasses import replace
from tinyseg.cli.main import main
from tinyseg.data.fetch import CIFAR_ARCHIVES
for name, archive in list(CIFAR_ARCHIVES.items()):
    CIFAR_ARCHIVES[name] = replace(archive, address=sys.argv[1], sha256=sys.argv[2])
del sys.argv[1:3]
main()
"""


def fetch_from(server: Server, *arguments: object, cwd: Path, sha256: str | None = None) -> Result:
    digest = sha256 or hashlib.sha256(server.content).hexdigest()
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, server.address, digest, "data", "fetch",
         *map(str, arguments)],
        capture_output=True, text=True, check=False, cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "make", "folder"),
    [
        ("cifar100", write_cifar100, "cifar-100-python"),
        ("cifar10", write_cifar10, "cifar-10-batches-py"),
    ],
)
def test_cifar_comes_to_a_folder_of_its_name_after_its_terms(server, tmp_path, name, make, folder):
    server.content = archive(make(tmp_path / "made" / folder))
    (tmp_path / "here").mkdir()
    run = fetch_from(server, name, cwd=tmp_path / "here")
    assert (run.returncode, run.stdout) == (0, f"{name}\n"), run.stderr
    notes = " ".join(run.stderr.split())
    assert "its authors state none" in notes
    assert "80 Million Tiny Images" in notes
    assert notes.index("Learning Multiple Layers of Features") < notes.index("Downloading, MB 1/1")
    assert f"Next: tinyseg data describe {name}" in notes
    assert [path.name for path in (tmp_path / "here").iterdir()] == [name]
    assert [path.name for path in (tmp_path / "here" / name).iterdir()] == [folder]
    check = tinyseg("data", "check", tmp_path / "here" / name)
    assert "0 errors" in " ".join(check.stdout.split())


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        ({"sha256": "0" * 64}, "hash of what came is"),
        ({"claimed": 10**6}, "retrieval incomplete: got only"),
        ({"status": 404}, "HTTP Error 404"),
        ({"content": b"<html>Moved</html>"}, "could not be unpacked in cifar100"),
    ],
)
def test_what_goes_wrong_with_cifar_leaves_nothing(server, tmp_path, trouble, sentence):
    server.content = archive(write_cifar100(tmp_path / "made" / "cifar-100-python"))
    (tmp_path / "here").mkdir()
    sha256 = trouble.pop("sha256", None)
    for field, value in trouble.items():
        setattr(server, field, value)
    run = fetch_from(server, "cifar100", cwd=tmp_path / "here", sha256=sha256)
    assert (run.returncode, run.stdout) == (1, "")
    assert sentence in " ".join(run.stderr.split())
    assert server.address in run.stderr
    assert "Traceback" not in run.stderr
    assert list((tmp_path / "here").iterdir()) == []


def test_a_server_that_is_not_there_is_told(server, tmp_path):
    server.address = "http://127.0.0.1:9/cifar.tar.gz"
    run = fetch_from(server, "cifar10", cwd=tmp_path)
    assert "cifar.tar.gz could not be downloaded (<urlopen error" in " ".join(run.stderr.split())
    assert (run.returncode, list(tmp_path.iterdir())) == (1, [])


def test_a_folder_that_is_not_empty_is_told_before_anything_comes(server, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    run = fetch_from(server, "cifar100", "--out", "mine", cwd=tmp_path)
    assert (run.returncode, "is not empty" in run.stderr) == (1, True)
    assert server.requests == 0
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "file"]


def test_an_archive_that_reaches_out_of_its_folder_is_refused(server, tmp_path):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as file:
        file.addfile(tarfile.TarInfo("../outside"))
    server.content = packed.getvalue()
    run = fetch_from(server, "cifar100", cwd=tmp_path)
    assert (run.returncode, list(tmp_path.iterdir())) == (1, [])
    assert "could not be unpacked" in " ".join(run.stderr.split())


def test_addresses_are_the_makers():
    """The digests are those that Keras and others check; torchvision has MD5s of the same files."""
    assert {name: each.address.rpartition("/")[2] for name, each in CIFAR_ARCHIVES.items()} == {
        "cifar10": "cifar-10-python.tar.gz", "cifar100": "cifar-100-python.tar.gz",
    }  # fmt: skip
    assert all(
        each.address.startswith("https://www.cs.toronto.edu/~kriz/")
        for each in CIFAR_ARCHIVES.values()
    )
