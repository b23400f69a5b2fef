"""Folders whose ``classes.txt`` tells several classes apart."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.several_classes import NAMES, heads_with_tumours, save_mask, write_folder
from tinyseg.data import load_pictures, open_dataset
from tinyseg.data.class_names import read_class_names
from tinyseg.data.masks import read_labels, read_mask
from tinyseg.errors import TinysegError

LABELS = np.array([[0, 1, 2], [3, 3, 0]], np.uint8)


@pytest.mark.parametrize("form", ["palette", "grey"])
def test_real_heads_with_tumours_come_back_as_they_were_written(shared_data, tmp_path, form):
    samples = heads_with_tumours(shared_data / "lgg")
    dataset = open_dataset(str(write_folder(tmp_path, samples, masks=form)))
    assert (dataset.kind, dataset.classes) == ("folder", list(NAMES))
    assert sorted(dataset.keys) == sorted(sample.key for sample in samples)
    for sample in samples:
        read = dataset.read(sample.key)
        assert read.labels.dtype == np.uint8
        assert np.array_equal(read.labels, sample.labels)
        assert np.array_equal(read.image, sample.image)
    with_tumour = {sample.key for sample in samples if (sample.labels == 1).any()}
    assert len(with_tumour) == 8
    assert all((sample.labels == 2).sum() > 1000 for sample in samples)


def test_real_labels_stay_labels_when_they_are_resized(shared_data, tmp_path):
    samples = heads_with_tumours(shared_data / "lgg", 6)
    dataset = open_dataset(str(write_folder(tmp_path, samples)))
    pictures = load_pictures(dataset, [sample.key for sample in samples], 64)
    assert pictures.strata.tolist() == [1] * 6  # a head is foreground too
    for sample, labels in zip(samples, pictures.labels, strict=True):
        assert set(np.unique(labels)) <= {0, 1, 2}
        for label in (1, 2):
            assert (labels == label).mean() == pytest.approx(
                (sample.labels == label).mean(), abs=0.01
            )


def test_a_single_name_names_the_one_class_of_masks_as_ever(tmp_path):
    (tmp_path / "classes.txt").write_text("\ufeffnucleus\r\n\r\n", encoding="utf-8")
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        Image.fromarray(LABELS * np.uint8(60)).save(tmp_path / folder / "a.png")
    dataset = open_dataset(str(tmp_path))
    assert dataset.classes == ["nucleus"]
    assert np.array_equal(dataset.read("a").labels, LABELS > 0)


def test_without_the_file_every_label_is_the_foreground(shared_data, tmp_path):
    (sample,) = heads_with_tumours(shared_data / "lgg", 1)
    folder = write_folder(tmp_path, [sample], masks="grey")
    (folder / "classes.txt").unlink()
    dataset = open_dataset(str(folder))
    assert dataset.classes == ("foreground",)
    assert np.array_equal(dataset.read(sample.key).labels, sample.labels > 0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "names no class"),
        ("\n \n", "names no class"),
        ("car\nroad\ncar\n", "names the class 'car' twice"),
        ("Background\ncar\n", "names the background, which is label 0"),
        ("\n".join(map(str, range(256))), "names 256 classes; .* at most 255"),
    ],
)
def test_names_that_cannot_be_meant_are_told(tmp_path, text, sentence):
    (tmp_path / "classes.txt").write_text(text)
    with pytest.raises(TinysegError, match=rf"classes\.txt {sentence}"):
        read_class_names(tmp_path / "classes.txt")


def test_names_that_are_no_text_are_told(tmp_path):
    (tmp_path / "classes.txt").write_bytes(b"\xff\xfe\x00c")
    with pytest.raises(TinysegError, match=r"classes\.txt is not text in UTF-8"):
        read_class_names(tmp_path / "classes.txt")
    with pytest.raises(TinysegError, match="cannot be read"):
        read_class_names(tmp_path)


def test_as_many_names_as_labels_have_room_for(tmp_path):
    (tmp_path / "classes.txt").write_text("\n".join(f"class {n}" for n in range(255)))
    assert read_class_names(tmp_path / "classes.txt")[254] == "class 254"
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(levels).save(tmp_path / "m.png")
    assert np.array_equal(read_labels(tmp_path / "m.png", 255), levels)


def test_labels_are_read_from_grey_of_many_forms(tmp_path):
    Image.fromarray(LABELS.astype(np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(np.stack([LABELS] * 3, axis=2)).save(tmp_path / "rgb.png")
    Image.fromarray(np.dstack([LABELS] * 3 + [LABELS * 0])).save(tmp_path / "rgba.png")
    tifffile.imwrite(tmp_path / "float.tif", LABELS.astype(np.float32))
    tifffile.imwrite(
        tmp_path / "palette.tif", LABELS, photometric="palette",
        colormap=np.zeros((3, 256), np.uint16),
    )  # fmt: skip
    save_mask(tmp_path / "few.bmp", LABELS % 3)
    for name in ("deep.png", "rgb.png", "rgba.png", "float.tif", "palette.tif"):
        assert np.array_equal(read_labels(tmp_path / name, 3), LABELS), name
    assert np.array_equal(read_labels(tmp_path / "few.bmp", 3), LABELS % 3)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_indices_of_a_palette_are_labels_however_few_bits_they_have(tmp_path, bits):
    picture = Image.fromarray(LABELS)
    voc = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
    picture.putpalette([*voc, *[9] * (3 * 2**bits - len(voc))])
    picture.save(tmp_path / "m.png")
    assert (tmp_path / "m.png").read_bytes()[24] == bits
    assert np.array_equal(read_labels(tmp_path / "m.png", 3), LABELS)
    with pytest.raises(TinysegError, match=r"is in colour; .* need a classes\.txt"):
        read_mask(tmp_path / "m.png")


@pytest.mark.parametrize(
    ("levels", "sentence"),
    [
        ([4], r"has the level 4; with 3 classes it should hold the labels 0 \(background\) to 3"),
        ([0, 255], r"has the level 255 \(which often marks what nobody labelled\); with 3"),
        ([9, 5, 7, 1], "has the levels 5, 7 and 9; with 3 classes"),
        (range(10, 200), "has the levels 10, 11, 12 and 187 more up to 199; with 3 classes"),
    ],
)
@pytest.mark.parametrize("form", ["palette", "grey"])
def test_levels_that_are_no_labels_are_told_and_never_mapped(tmp_path, levels, sentence, form):
    path = save_mask(tmp_path / "m.png", np.array([list(levels)], np.uint8), form)
    with pytest.raises(TinysegError, match=rf"m\.png {sentence}.*classes\.txt"):
        read_labels(path, 3)


@pytest.mark.parametrize("level", [0.5, -1, np.nan])
def test_what_is_no_whole_number_is_no_label(tmp_path, level):
    tifffile.imwrite(tmp_path / "m.tif", np.array([[0, level]], np.float32))
    with pytest.raises(TinysegError, match=rf"m\.tif has the level {level}; with 2 classes"):
        read_labels(tmp_path / "m.tif", 2)


def test_a_format_that_loses_levels_is_refused_even_where_it_lost_none(tmp_path):
    Image.fromarray(LABELS * 0).save(tmp_path / "m.jpg")
    with pytest.raises(TinysegError, match=r"m\.jpg is in a format that may change levels.*as PNG"):
        read_labels(tmp_path / "m.jpg", 3)
    assert read_labels(tmp_path / "m.jpg", 1).sum() == 0


def test_a_mask_in_colour_is_refused(tmp_path):
    Image.fromarray(np.dstack([LABELS, LABELS, LABELS * 2])).save(tmp_path / "m.png")
    with pytest.raises(TinysegError, match=r"m\.png is in colour; with 3 classes.*by its label"):
        read_labels(tmp_path / "m.png", 3)
