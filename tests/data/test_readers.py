"""Datasets in folders: which files belong together, in which order, in which group."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from tinyseg.data import Dataset, open_dataset
from tinyseg.data.folder import FolderDataset
from tinyseg.data.lgg import LGGDataset
from tinyseg.errors import TinysegError


def put(path, value=0, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path)


def lgg_folder(folder, **slices):
    """Patients with slices of these numbers."""
    for patient, numbers in slices.items():
        for number in numbers:
            put(folder / patient / f"{patient}_{number}.png", number)
            put(folder / patient / f"{patient}_{number}_mask.png", 255)
    return folder


def test_slices_come_by_number_and_patients_by_name(tmp_path):
    dataset = open_dataset(str(lgg_folder(tmp_path, b=[10, 2, 1], a=[9, 11])))
    assert dataset.kind == "lgg"
    assert dataset.keys == ["a_9", "a_11", "b_1", "b_2", "b_10"]
    assert [dataset.group(key) for key in dataset.keys] == ["a", "a", "b", "b", "b"]
    assert dataset.read("b_10").image[0, 0].tolist() == [10, 10, 10]


def test_kaggles_inner_folder_is_found_and_its_copy_is_not(tmp_path):
    lgg_folder(tmp_path / "kaggle_3m", a=[1])
    lgg_folder(tmp_path / "lgg-mri-segmentation" / "kaggle_3m", a=[1], b=[1])
    (tmp_path / "kaggle_3m" / "data.csv").write_text("Patient,grade\n")
    assert open_dataset(str(tmp_path)).keys == ["a_1"]
    assert open_dataset(str(tmp_path / "kaggle_3m")).keys == ["a_1"]


def test_what_is_no_slice_is_left_out(tmp_path):
    lgg_folder(tmp_path, a=[1, 2])
    put(tmp_path / "a" / "overview.png")
    put(tmp_path / "a" / "a_x.png")
    (tmp_path / "a" / "notes.txt").write_text("notes")
    (tmp_path / "a" / "a_2_mask.png").unlink()
    assert open_dataset(str(tmp_path)).keys == ["a_1"]


def test_a_folder_that_may_not_be_entered_is_passed_by(tmp_path):
    lgg_folder(tmp_path, a=[1], b=[1])
    (tmp_path / "b").chmod(0)
    try:
        keys = open_dataset(str(tmp_path)).keys
    finally:
        (tmp_path / "b").chmod(0o755)
    assert keys == (["a_1"] if os.geteuid() else ["a_1", "b_1"])  # root may


def test_real_volumes_are_whole_and_in_order(shared_data):
    dataset = open_dataset(str(shared_data / "lgg"))
    assert isinstance(dataset, Dataset)
    assert (dataset.kind, len(dataset.keys)) == ("lgg", 423)
    assert dataset.source == f"lgg:{(shared_data / 'lgg').resolve()}"
    assert open_dataset(dataset.source).keys == dataset.keys
    patient = [key for key in dataset.keys if dataset.group(key) == "TCGA_DU_7300_19910814"]
    assert patient == [f"TCGA_DU_7300_19910814_{number}" for number in range(1, 37)]
    marked = [dataset.read(key).labels.any() for key in patient]
    places = np.flatnonzero(marked)
    assert (len(places), places[-1] - places[0]) == (9, 8)  # one unbroken run


def test_real_slices_as_jpeg_have_the_same_masks(shared_data):
    tiff, jpeg = (open_dataset(str(shared_data / name)) for name in ("lgg", "lgg-jpeg"))
    assert len(jpeg.keys) == 3532
    for key in list(tiff.keys)[::60]:
        one, other = tiff.read(key), jpeg.read(key)
        assert np.array_equal(one.labels, other.labels)
        assert np.abs(one.image.astype(int) - other.image.astype(int)).mean() < 3


def test_masks_called_as_their_pictures(shared_data):
    dataset = open_dataset(str(shared_data / "dsb2018"))
    assert (dataset.kind, len(dataset.keys), dataset.groups_are_volumes) == ("folder", 60, False)
    for key in list(dataset.keys)[:8]:
        sample = dataset.read(key)
        with Image.open(shared_data / "dsb2018" / "images" / f"{key}.png") as picture:
            assert picture.mode == "RGBA"
            assert np.array_equal(sample.image, np.asarray(picture.convert("RGB")))
        assert sample.labels.any()
        assert dataset.group(key) == key


def test_masks_with_a_suffix_and_another_format(shared_data):
    dataset = open_dataset(str(shared_data / "ph2"))
    assert len(dataset.keys) == 40
    sample = dataset.read(dataset.keys[0])
    with Image.open(shared_data / "ph2" / "masks" / f"{sample.key}_segmentation.png") as mask:
        assert np.array_equal(sample.labels, np.asarray(mask) // 255)


def test_the_suffix_of_most_masks_counts(tmp_path):
    names = ["cell", "cell_1", "cell_se"]  # cell_se might be the picture of cell_seg, with "g"
    for name in names:
        put(tmp_path / "images" / f"{name}.png")
        put(tmp_path / "masks" / f"{name}_seg.png")
    dataset = open_dataset(str(tmp_path))
    assert dataset.keys == names
    assert [dataset.pairs[name].mask.stem for name in names] == [f"{name}_seg" for name in names]


def test_of_two_suffixes_the_shorter_counts(tmp_path):
    put(tmp_path / "images" / "cell.png")
    put(tmp_path / "images" / "cell_1.png")
    put(tmp_path / "masks" / "cell_1_m.png")
    assert open_dataset(str(tmp_path)).keys == ["cell_1"]


@pytest.mark.parametrize("kind", [FolderDataset, LGGDataset])
def test_no_pair_at_all_is_told_with_the_command_that_shows_why(tmp_path, kind):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(
        TinysegError, match=rf"no picture with a mask.*tinyseg data check {kind.kind}:"
    ):
        open_dataset(f"{kind.kind}:{tmp_path}")


def test_a_corrupt_tiff_among_real_ones_is_named(shared_data, tmp_path):
    name = "TCGA_CS_4942_19970222"
    shutil.copytree(shared_data / "lgg" / "kaggle_3m" / name, tmp_path / name)
    broken = tmp_path / name / f"{name}_7.tif"
    broken.chmod(0o644)
    broken.write_bytes(broken.read_bytes()[:4000])
    dataset = open_dataset(str(tmp_path))
    with pytest.raises(TinysegError, match=rf"{name}_7\.tif cannot be read"):
        dataset.read(f"{name}_7")
    assert dataset.read(f"{name}_8").image.any()
