"""CIFAR-10 and CIFAR-100: a real slice, and files made in their layouts."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.data.cifar_sets import NAMES, pixels, write, write_cifar10, write_cifar100
from tinyseg.data import cifar_files, load_pictures, make_split, open_dataset
from tinyseg.errors import TinysegError, UsageError


def test_the_real_slice_is_as_its_readme_says(shared_data):
    dataset = open_dataset(str(shared_data / "cifar100"))
    assert dataset.source == f"cifar:{shared_data.resolve()}/cifar100/cifar-100-python"
    assert (dataset.task, dataset.channels, len(dataset.classes)) == ("classification", 3, 100)
    assert (len(dataset.keys), len(dataset.test_keys)) == (986, 500)
    assert (dataset.keys[0], dataset.keys[486], dataset.keys[-1]) == (
        "train-00000", "test-00000", "test-00499",
    )  # fmt: skip
    first = dataset.read("train-00000")
    assert dataset.classes[int(first.labels)] == "cattle"  # its file is bos_taurus_s_000507.png
    assert dataset.classes[int(dataset.read("test-00000").labels)] == "mountain"  # volcano
    assert first.image[0, :2].tolist() == [[255, 255, 255], [255, 255, 255]]
    assert (first.image.dtype, first.image.shape, first.labels.shape) == (np.uint8, (32, 32, 3), ())


def test_the_real_slice_keeps_its_own_test_part(shared_data):
    dataset = open_dataset(str(shared_data / "cifar100"))
    pictures = load_pictures(dataset, dataset.keys, 32)
    split = make_split(
        dataset,
        pictures.strata_by_key,
        by="patient",
        seed=0,
        validation_share=0.15,
        test_share=0.15,
    )
    assert split.test == list(dataset.test_keys)
    assert (len(split.train), len(split.validation)) == (413, 73)


@pytest.mark.parametrize("protocol", [None, 2, 4])
def test_planes_of_red_green_and_blue_by_rows_become_channels(tmp_path, protocol):
    data = np.arange(2 * 3072).reshape(2, 3072).astype(np.uint8)
    write_cifar10(tmp_path)
    write(tmp_path / "test_batch", {"data": data, "labels": [2, 1]}, protocol)
    dataset = open_dataset(str(tmp_path))
    sample = dataset.read("test-00001")
    for row, column, channel in ((0, 0, 0), (0, 5, 1), (7, 0, 2), (31, 31, 2)):
        assert sample.image[row, column, channel] == data[1, channel * 1024 + row * 32 + column]
    assert (int(sample.labels), sample.group) == (1, "test-00001")


def test_the_batches_of_cifar10_are_one_row_of_keys(tmp_path):
    dataset = open_dataset(str(write_cifar10(tmp_path / "cifar-10-batches-py").parent))
    assert dataset.classes == NAMES
    assert len(dataset.keys) == 24
    assert dataset.keys[19:21] == ["train-00019", "test-00000"]
    np.testing.assert_array_equal(
        dataset.read("train-00013").image.transpose(2, 0, 1).ravel(), pixels(4, 3)[1]
    )


def test_both_layouts_are_known_in_the_folder_and_below_it(tmp_path):
    inner = write_cifar100(tmp_path / "data" / "cifar-100-python")
    from_below, from_above = open_dataset(str(inner)), open_dataset(str(inner.parent))
    assert from_below.source == from_above.source == f"cifar:{inner}"
    assert open_dataset(from_above.source).keys == from_below.keys


def test_two_sets_in_one_folder_are_named(tmp_path):
    one = write_cifar100(tmp_path / "cifar-100-python")
    other = write_cifar10(tmp_path / "cifar-10-batches-py")
    with pytest.raises(UsageError) as caught:
        open_dataset(str(tmp_path))
    assert f"holds CIFAR-100 in {one} and CIFAR-10 in {other}." in caught.value.message
    assert caught.value.mend == f"Name one of them, such as {one}"


def test_a_kind_that_is_said_names_what_is_missing(tmp_path):
    with pytest.raises(TinysegError, match="holds no pickles of CIFAR, and no cifar-100-python/"):
        open_dataset(f"cifar:{tmp_path}")
    write_cifar10(tmp_path)
    (tmp_path / "data_batch_4").unlink()
    (tmp_path / "test_batch").unlink()
    with pytest.raises(TinysegError, match="lacks data_batch_4, test_batch of CIFAR-10") as caught:
        open_dataset(str(tmp_path))
    assert "tinyseg data fetch cifar10" in caught.value.mend


def test_recognising_opens_no_file(tmp_path, monkeypatch):
    for name in ("train", "test", "meta"):
        (tmp_path / name).write_bytes(b"nothing to read")
    monkeypatch.setattr(cifar_files, "read_pickled_dict", None)
    from tinyseg.data.cifar import CIFARDataset

    assert CIFARDataset.recognises(tmp_path)
    (tmp_path / "train").unlink()
    (tmp_path / "test").unlink()
    assert not CIFARDataset.recognises(tmp_path)
    for name in ("train", "test"):  # as folders of pictures are called
        (tmp_path / name).mkdir()
    assert not CIFARDataset.recognises(tmp_path)


def test_files_are_read_once_and_late_whatever_threads_ask(tmp_path, monkeypatch):
    read: list[str] = []
    asked: list[str] = []
    all_asked = threading.Event()
    reader = cifar_files.read_pickled_dict

    def counted(path, mend):
        read.append(path.name)
        if path.name == "train":
            all_asked.wait()
        return reader(path, mend)

    def ask(key):
        asked.append(key)
        if len(asked) == 8:
            all_asked.set()
        return dataset.read(key)

    monkeypatch.setattr(cifar_files, "read_pickled_dict", counted)
    dataset = open_dataset(str(write_cifar100(tmp_path)))
    assert read == ["meta"]
    with ThreadPoolExecutor(8) as pool:
        samples = list(pool.map(ask, ["train-00001", "test-00002"] * 4))
    assert [int(sample.labels) for sample in samples] == [1, 2] * 4
    assert read == ["meta", "train", "test"]


def test_changing_a_picture_changes_no_other(tmp_path):
    dataset = open_dataset(str(write_cifar100(tmp_path)))
    before = dataset.read("train-00000").image.copy()
    dataset.read("train-00000").image[:] = 0
    np.testing.assert_array_equal(dataset.read("train-00000").image, before)


def cifar100(**content: object) -> dict[str, object]:
    return {"data": pixels(3), "fine_labels": [0, 1, 2], **content}


@pytest.mark.parametrize(
    ("train", "sentence"),
    [
        (cifar100(data=None), "has no array 'data'"),
        (cifar100(data=[1, 2]), "has no array 'data'"),
        (cifar100(data=pixels(3)[:, :3000]),
         r"has 'data' of 3x3000 where rows of 3072 values \(3x32x32\) should be"),
        (cifar100(data=pixels(3).ravel()), "has 'data' of 9216 where rows"),
        (cifar100(data=pixels(0)), "has 'data' of 0x3072 where rows"),
        (cifar100(fine_labels=[0, 1]), "has 3 pictures and 2 labels"),
        (cifar100(fine_labels=[0, 3, 4]),
         r"has the label 3 in row 1, where meta names 3 classes from 0 on \(2 of 3 rows"),
        (cifar100(fine_labels=[0, -1, 1]), "has the label -1 in row 1"),
        (cifar100(fine_labels=[0, 1, 10**30]), "has the label 1073741824 in row 2"),
        (cifar100(fine_labels=None), "has no list 'fine_labels' of whole numbers"),
        (cifar100(fine_labels=[0, "1", 2]), "has no list 'fine_labels' of whole numbers"),
        ({"data": pixels(3), "labels": [0, 1, 2]}, "has no list 'fine_labels'"),
    ],
)  # fmt: skip
def test_contents_that_do_not_fit_are_told_with_file_and_mend(tmp_path, train, sentence):
    write_cifar100(tmp_path)
    write(tmp_path / "train", train, 4)
    dataset = open_dataset(str(tmp_path))
    with pytest.raises(TinysegError, match=f"The file {tmp_path}/train {sentence}") as caught:
        _ = dataset.keys
    assert caught.value.mend == "Bring it again, such as with: tinyseg data fetch cifar100"


@pytest.mark.parametrize(
    ("meta", "sentence"),
    [
        ({"label_names": NAMES}, "has no list 'fine_label_names' of 1 to 256 names"),
        ({"fine_label_names": []}, "has no list 'fine_label_names'"),
        ({"fine_label_names": [str(n) for n in range(257)]}, "has no list 'fine_label_names'"),
        ({"fine_label_names": ["a", "b", "a"]}, "has two classes of one name"),
    ],
)
def test_names_that_do_not_fit_are_told_on_opening(tmp_path, meta, sentence):
    write_cifar100(tmp_path)
    write(tmp_path / "meta", meta, 4)
    with pytest.raises(TinysegError, match=f"The file {tmp_path}/meta {sentence}"):
        open_dataset(str(tmp_path))


def test_a_real_file_that_was_cut_off_is_told(shared_data, tmp_path):
    folder = tmp_path / "cifar-100-python"
    shutil.copytree(shared_data / "cifar100" / "cifar-100-python", folder)
    folder.chmod(0o755)
    (folder / "test").chmod(0o644)
    (folder / "test").write_bytes((folder / "test").read_bytes()[:1_000_000])
    with pytest.raises(TinysegError, match=f"The file {folder}/test is a pickle that was cut off"):
        _ = open_dataset(str(tmp_path)).keys
