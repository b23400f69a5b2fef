"""The check lists everything at once, also in folders that cannot be opened."""

import shutil

import numpy as np
import pytest
from PIL import Image

from tests.data.cifar_sets import pixels, write, write_cifar100
from tests.several_classes import heads_with_tumours, write_folder
from tinyseg.data import check_data
from tinyseg.errors import TinysegError, UsageError

RANDOM = np.random.default_rng(0)


def picture(path, size=(16, 12)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RANDOM.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).save(path)


def mask(path, size=(16, 12), value=255):
    path.parent.mkdir(parents=True, exist_ok=True)
    levels = np.zeros((size[1], size[0]), np.uint8)
    levels[2:6, 3:9] = value
    Image.fromarray(levels).save(path)


def found(text) -> set[tuple[str, str, str]]:
    """Severity, file name and the first words of every problem."""
    return {
        (problem.severity, problem.where.rpartition("/")[2], problem.what)
        for problem in check_data(str(text)).problems
    }


def about(problems, name) -> str:
    """All that is said of a file."""
    return "; ".join(f"{severity}: {what}" for severity, where, what in problems if where == name)


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b", "c"):
        picture(tmp_path / "images" / f"{name}.png")
        mask(tmp_path / "masks" / f"{name}_seg.png")
    return tmp_path


@pytest.fixture
def volumes(tmp_path):
    for patient, count in (("p", 4), ("q", 3)):
        for number in range(1, count + 1):
            picture(tmp_path / patient / f"{patient}_{number}.png")
            mask(tmp_path / patient / f"{patient}_{number}_mask.png", value=255 * (number > 1))
    return tmp_path


def test_a_sound_folder_has_no_problem(folder):
    document = check_data(str(folder))
    assert (document.source, document.images, document.problems) == (f"folder:{folder}", 3, [])


def test_sound_volumes_have_no_problem(volumes):
    document = check_data(str(volumes))
    assert (document.source, document.images, document.problems) == (f"lgg:{volumes}", 7, [])


def test_every_problem_of_a_folder_is_listed_at_once(folder):
    images, masks = folder / "images", folder / "masks"
    picture(images / "alone.png")
    mask(masks / "orphan_seg.png")
    picture(images / "a.jpg")
    (images / "readme.txt").write_text("about")
    (images / "b.png").write_bytes(b"not a picture")
    mask(masks / "c_seg.png", size=(10, 12))
    shutil.copy(images / "c.png", images / "d.png")
    Image.fromarray(np.full((12, 16), 255, np.uint8)).save(masks / "d_seg.png")
    picture(images / "e.png")
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(12, 16)).save(masks / "e_seg.png")
    picture(images / "f.png")
    picture(masks / "f_seg.png")
    problems = found(folder)
    assert about(problems, "alone.png") == "error: has no mask"
    assert about(problems, "orphan_seg.png") == "error: is a mask without a picture"
    assert about(problems, "a.png") == "error: is called as a.jpg, up to its ending"
    assert "note: is not called like a picture" in about(problems, "readme.txt")
    assert "error" in about(problems, "b.png")
    assert "cannot be read" in about(problems, "b.png")
    assert about(problems, "c_seg.png") == "error: is 10x12 pixels, its picture 16x12"
    assert "warning: is the same picture as c.png, in another group" in about(problems, "d.png")
    assert about(problems, "d_seg.png") == "warning: marks the whole picture"
    assert "warning: has 192 grey values from 0 to 191" in about(problems, "e_seg.png")
    assert "is in colour" in about(problems, "f_seg.png")
    assert len(problems) == 10


def test_errors_come_first(folder):
    (folder / "images" / "readme.txt").write_text("about")
    picture(folder / "images" / "z.png")
    assert [problem.severity for problem in check_data(str(folder)).problems] == ["error", "note"]


def test_every_problem_of_volumes_is_listed_at_once(volumes):
    (volumes / "p" / "p_2.png").unlink()
    (volumes / "p" / "p_2_mask.png").unlink()
    (volumes / "p" / "p_3_mask.png").unlink()
    shutil.copy(volumes / "p" / "p_1.png", volumes / "p" / "p_01.png")
    shutil.copy(volumes / "q" / "q_1.png", volumes / "q" / "q_3.png")
    picture(volumes / "q" / "q_2.png", size=(20, 20))
    mask(volumes / "q" / "q_2_mask.png", size=(20, 20))
    picture(volumes / "q" / "overview.png")
    (volumes / "empty").mkdir()
    grey = RANDOM.integers(0, 256, (12, 16), dtype=np.uint8)
    for number in (1, 2):
        (volumes / "r").mkdir(exist_ok=True)
        Image.fromarray(grey + np.uint8(number)).save(volumes / "r" / f"r_{number}.png")
        mask(volumes / "r" / f"r_{number}_mask.png", value=0)
    problems = found(volumes)
    assert "warning: lacks the slices 2: neighbours are not neighbours" in about(problems, "p")
    assert about(problems, "p_3.png") == "error: has no mask"
    assert about(problems, "p_1.png") == "error: stands for the same slice as p_01.png"
    assert about(problems, "q_3.png") == "warning: is the same picture as q_1.png"
    assert about(problems, "q") == "warning: has slices of several sizes: 16x12, 20x20"
    assert "ignored" in about(problems, "overview.png")
    assert about(problems, "empty") == "warning: holds no slice"
    assert "note: has no slice with foreground" in about(problems, "r")
    assert "note: has three equal channels: one sequence, repeated" in about(problems, "r")


def test_folders_without_any_pair_are_checked_too(tmp_path):
    picture(tmp_path / "images" / "a.png")
    (tmp_path / "masks").mkdir()
    problems = found(tmp_path)
    assert about(problems, "a.png") == "error: has no mask"
    assert about(problems, "masks") == "error: holds no picture"
    assert about(problems, tmp_path.name) == "error: holds no picture with a mask"


def test_an_empty_folder_and_one_of_no_known_kind_are_errors(tmp_path):
    assert about(found(tmp_path), tmp_path.name) == "error: is empty"
    picture(tmp_path / "a.png")
    assert "error: is of no known kind" in about(found(tmp_path), tmp_path.name)
    assert "masks: is missing" in "; ".join(
        f"{where}: {what}" for _, where, what in found(f"folder:{tmp_path}")
    )


def test_masks_without_any_foreground_are_worth_a_warning(folder):
    for name in ("a", "b", "c"):
        mask(folder / "masks" / f"{name}_seg.png", value=0)
    assert about(found(folder), folder.name) == "warning: has no mask with any foreground"


def labels(folder, *levels_of_masks):
    """Masks of levels side by side, with their pictures."""
    for name, levels in zip("abcdef", levels_of_masks, strict=False):
        picture(folder / "images" / f"{name}.png")
        stripes = np.repeat(np.array(levels, np.uint8), 16 // len(levels))
        Image.fromarray(np.tile(stripes, (12, 1))).save(folder / "masks" / f"{name}_seg.png")


def test_small_levels_without_names_of_classes_are_noted_once(folder):
    labels(folder, [0, 1, 2, 3], [0, 2], [0, 3])
    note = about(found(folder), folder.name)
    assert note.startswith("note: has masks with the levels 0 to 3, most of them in a_seg.png,")
    assert "count as one class; a classes.txt beside images/ and masks/" in note
    labels(folder, [0, 5], [0, 9])
    assert "levels 0, 3, 5, 9" in about(found(folder), folder.name)


def test_levels_that_tell_nothing_apart_are_not_noted(folder):
    labels(folder, [0, 1], [0, 255], [0, 1])  # a_seg and c_seg alike, b_seg white
    assert found(folder) == set()


def test_names_of_classes_are_not_asked_for_where_none_are_looked_for(volumes):
    mask(volumes / "p" / "p_2_mask.png", value=1)
    mask(volumes / "p" / "p_3_mask.png", value=2)
    assert found(volumes) == set()


def test_masks_are_checked_against_the_names_of_classes(folder):
    (folder / "classes.txt").write_text("car\nroad\nsky\n")
    labels(folder, [0, 1], [0, 4], [3])
    picture(folder / "images" / "d.png", size=(8, 12))
    labels(folder, [0, 1], [0, 4], [3], [1, 0])
    mask(folder / "masks" / "d_seg.png", size=(10, 12), value=3)
    problems = found(folder)
    assert "b_seg.png has the level 4; with 3 classes it should" in about(problems, "b_seg.png")
    assert about(problems, "b_seg.png").startswith("error: ")
    assert about(problems, "c_seg.png") == "warning: has the label 3 everywhere"
    assert about(problems, "d_seg.png") == "error: is 10x12 pixels, its picture 16x12"
    assert about(problems, "classes.txt") == "warning: names what no mask has: road (2)"
    assert len(problems) == 4


def test_sound_masks_of_several_classes_have_no_problem(folder):
    (folder / "classes.txt").write_text("car\nroad\n")
    labels(folder, [0, 1, 2, 0], [0], [1, 2])
    assert found(folder) == set()


def test_names_of_classes_that_cannot_be_used_are_an_error_among_the_others(folder):
    (folder / "classes.txt").write_text("car\ncar\n")
    picture(folder / "images" / "alone.png")
    problems = found(folder)
    assert "error" in about(problems, "classes.txt")
    assert "names the class 'car' twice" in about(problems, "classes.txt")
    assert about(problems, "alone.png") == "error: has no mask"
    assert len(problems) == 2


def test_real_masks_of_two_classes_are_sound_and_their_absence_is_told(shared_data, tmp_path):
    samples = heads_with_tumours(shared_data / "lgg", 6)
    sound = write_folder(tmp_path / "sound", samples)
    assert found(sound) == set()
    more = write_folder(tmp_path / "more", samples, names=("tumour", "head", "skull"))
    assert about(found(more), "classes.txt") == "warning: names what no mask has: skull (3)"
    less = write_folder(tmp_path / "less", samples, masks="grey")
    (less / "classes.txt").unlink()
    assert "note: has masks with the levels 0 to 2" in about(found(less), "less")


def test_a_missing_folder_is_no_finding_but_an_error(tmp_path):
    with pytest.raises(TinysegError, match="There is no folder"):
        check_data(str(tmp_path / "missing"))


def test_what_is_no_folder_is_read_whole():
    document = check_data("phantom:patients=1")
    assert (document.source, document.problems) == ("phantom:patients=1", [])
    assert document.images > 19


@pytest.mark.parametrize(("name", "images"), [("lgg", 423), ("dsb2018", 60), ("ph2", 40)])
def test_real_folders_are_sound(shared_data, name, images):
    document = check_data(str(shared_data / name))
    assert document.images == images
    assert {problem.severity for problem in document.problems} <= {"note"}


def test_a_real_patient_with_one_sequence_is_noted(shared_data):
    notes = about(found(shared_data / "lgg"), "TCGA_HT_A616_19991226")
    assert notes == "note: has three equal channels: one sequence, repeated"


def test_sound_pictures_with_classes_have_no_problem(tmp_path):
    document = check_data(str(write_cifar100(tmp_path)))
    assert (document.source, document.images, document.problems) == (f"cifar:{tmp_path}", 9, [])


def test_pictures_that_are_there_twice_and_classes_that_are_not_are_told(tmp_path):
    train, test = pixels(5), pixels(4, 1)
    train[2] = train[1]
    train[3] = train[0]
    test[1], test[2] = train[4], train[0]
    write_cifar100(
        tmp_path,
        {"data": train, "fine_labels": [0, 1, 1, 1, 0]},
        {"data": test, "fine_labels": [2, 0, 1, 2]},
        ["plane", "car", "bird", "cat"],
    )
    problems = found(tmp_path)
    assert about(problems, "train-00002") == "note: has the same pixels as train-00001"
    assert about(problems, "train-00003") == (
        "warning: has the same pixels as train-00000; their classes are car and plane"
    )
    apart = ": one is in the test part, the other is not"
    assert about(problems, "test-00001") == f"warning: has the same pixels as train-00004{apart}"
    assert about(problems, "test-00002") == (
        f"warning: has the same pixels as train-00000{apart}; their classes are car and plane"
    )
    of_all = about(problems, tmp_path.name)
    assert "warning: has no picture outside the test part of: bird, cat" in of_all
    assert "note: has no picture in the test part of: cat" in of_all
    assert len(problems) == 6


def test_a_set_that_cannot_be_read_is_a_finding(tmp_path):
    write_cifar100(tmp_path)
    write(tmp_path / "test", {"data": pixels(2), "fine_labels": [0]})
    said = about(found(tmp_path), tmp_path.name)
    assert f"error: cannot be read. The file {tmp_path}/test has 2 pictures and 1 labels." in said
    assert "tinyseg data fetch cifar100" in said
    (tmp_path / "test").unlink()
    assert "lacks test of CIFAR-100" in about(found(tmp_path), tmp_path.name)


def test_two_sets_in_one_folder_are_no_finding_but_an_error(tmp_path):
    write_cifar100(tmp_path)
    write_cifar100(tmp_path / "cifar-100-python")
    with pytest.raises(UsageError, match="holds CIFAR-100 in"):
        check_data(str(tmp_path))


def test_the_real_slice_has_no_picture_twice(shared_data):
    document = check_data(str(shared_data / "cifar100"))
    assert document.images == 986
    assert [problem.what for problem in document.problems] == [
        "has no picture outside the test part of: can"
    ]
