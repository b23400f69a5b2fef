"""Pickles are read, and nothing in them is run."""

import builtins
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.command import tinyseg
from tests.data.cifar_sets import pixels, write, write_cifar100
from tinyseg.data.restricted_pickle import read_pickled_dict
from tinyseg.errors import TinysegError

CONTENT = {"data": pixels(3), "labels": [2, 0, 1], "names": ["one", "two"]}


class Evil:
    """Touches a file when a pickle of it is read as pickles usually are."""

    def __init__(self, file: Path, function: object = os.system) -> None:
        self.file, self.function = file, function

    def __reduce__(self):
        if self.function is os.system:
            return self.function, (f"touch {self.file}",)
        return self.function, (f"open({str(self.file)!r}, 'w')",)


@pytest.mark.parametrize("protocol", [None, 0, 1, 2, 3, 4, 5])
def test_pickles_of_every_python_are_the_same(tmp_path, protocol):
    write(tmp_path / "file", CONTENT, protocol)
    read = read_pickled_dict(tmp_path / "file", "")
    assert read.keys() == CONTENT.keys()
    np.testing.assert_array_equal(read["data"], CONTENT["data"])
    assert read["data"].dtype == np.uint8
    assert read["labels"] == [2, 0, 1]
    assert read["names"] in (["one", "two"], [b"one", b"two"])


@pytest.mark.parametrize("protocol", [2, 5])
def test_arrays_by_columns_keep_their_pixels(tmp_path, protocol):
    write(tmp_path / "file", {"data": np.asfortranarray(CONTENT["data"])}, protocol)
    read = read_pickled_dict(tmp_path / "file", "")
    np.testing.assert_array_equal(read["data"], CONTENT["data"])


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("function", [os.system, builtins.eval, builtins.exec])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path, protocol, function):
    touched = tmp_path / "touched"
    evil = pickle.dumps({"data": Evil(touched, function)}, protocol)
    (tmp_path / "file").write_bytes(evil)
    program = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'))"  # nobody forbids it
    subprocess.run([sys.executable, "-c", program, tmp_path / "file"], check=True)
    touched.unlink()
    module = "posix" if function is os.system else "builtins"
    name = f"{module}.{function.__name__}"
    if protocol < 3 and module == "builtins":
        name = name.replace("builtins", "__builtin__")
    with pytest.raises(TinysegError) as caught:
        read_pickled_dict(tmp_path / "file", "")
    assert f"{tmp_path / 'file'} asks for {name}" in caught.value.message
    assert not touched.exists()


@pytest.mark.parametrize("command", ["describe", "check"])
@pytest.mark.parametrize("file", ["train", "test", "meta"])
def test_code_in_a_dataset_is_not_run(tmp_path, command, file):
    folder = write_cifar100(tmp_path / "set")
    (folder / file).write_bytes(pickle.dumps(Evil(tmp_path / "touched"), 2))
    run = tinyseg("data", command, folder)
    said = " ".join((run.stderr + run.stdout).split())
    assert run.returncode == 1
    assert f"{file} asks for posix.system" in said
    assert "Traceback" not in said
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    "names",
    ["numpy.core.multiarray scalar", "numpy load", "numpy.ndarray tofile", "_codecs decode",
     "builtins getattr", "tinyseg.data.restricted_pickle read_pickled_dict"],
)  # fmt: skip
def test_only_the_few_names_of_arrays_are_known(tmp_path, names):
    module, _, name = names.partition(" ")
    (tmp_path / "file").write_bytes(f"c{module}\n{name}\n.".encode())
    with pytest.raises(TinysegError, match=f"asks for {re.escape(module)}.{name}, which"):
        read_pickled_dict(tmp_path / "file", "")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"\n<!DOCTYPE html><html>Not found</html>", "is a web page where a pickle should be"),
        (b"<HTML>Not found</HTML>", "is a web page"),
        (pickle.dumps(CONTENT, 2)[:-500], "is a pickle that was cut off"),
        (pickle.dumps(CONTENT, 4)[:40], "is a pickle that was cut off"),
        (b"\x1f\x8b\x08\x00 an archive", "is no pickle of lists and uint8 arrays"),
        (b"something else", "is no pickle of lists"),
        (pickle.dumps([1, 2], 2), "is a pickle, but not of a dict"),
        (pickle.dumps({"data": np.zeros(4)}, 2), "is no pickle of lists and uint8 arrays"),
        (pickle.dumps({"data": np.array([None])}, 2), "is no pickle of lists and uint8 arrays"),
        (b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7fabc", "is no pickle"),
        (b"cnumpy\nndarray\n)\x81(K\x01K\x05\x85Ntb.", "is no pickle of lists"),
        (b"cnumpy\ndtype\n}b.", "is no pickle of lists"),
        (b"\x80\x02P0\n.", "is no pickle of lists"),
    ],
)
def test_broken_files_are_told_in_one_sentence(tmp_path, content, sentence):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(TinysegError) as caught:
        read_pickled_dict(tmp_path / "file", "Bring it again.")
    assert caught.value.message.startswith(f"The file {tmp_path / 'file'} {sentence}")
    assert caught.value.mend == "Bring it again."


def test_every_way_of_cutting_a_pickle_off_is_told(tmp_path):
    whole = pickle.dumps({"data": np.zeros((2, 3), np.uint8), "labels": [1, 2]}, 2)
    for length in range(len(whole)):
        (tmp_path / "file").write_bytes(whole[:length])
        with pytest.raises(TinysegError):
            read_pickled_dict(tmp_path / "file", "")
    (tmp_path / "file").write_bytes(whole)
    read_pickled_dict(tmp_path / "file", "")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(TinysegError, match=r"cannot be read \(No such file or directory\)"):
        read_pickled_dict(tmp_path / "none", "")
