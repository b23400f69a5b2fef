"""Which files are predicted, and what their masks are called."""

from pathlib import Path

import pytest

from tinyseg.errors import TinysegError, UsageError
from tinyseg.evaluation import find_pictures, list_pictures

OUT = Path("out")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def found(*names: str, out: Path = OUT) -> dict[str, str]:
    files = find_pictures([Path(name) for name in names], out)
    return {str(file.picture): str(file.mask) for file in files}


def test_a_picture_keeps_its_name():
    touch("a/x.v2.JPG")
    assert found("a/x.v2.JPG") == {"a/x.v2.JPG": "out/x.v2.png"}


def test_a_folder_keeps_its_folders():
    touch("a/x.png", "a/b/x.tif", "a/notes.txt", "a/.hidden.png", "a/.hidden/x.png")
    assert found("a") == {"a/x.png": "out/x.png", "a/b/x.tif": "out/b/x.png"}


def test_linked_folders_are_searched_once_even_where_links_lead_back():
    touch("b/x.png", "a/y.png")
    Path("a/there").symlink_to(Path("b").resolve())
    Path("b/back").symlink_to(Path("a").resolve())
    assert found("a") == {"a/y.png": "out/y.png", "a/there/x.png": "out/there/x.png"}


def test_equal_names_in_different_folders_stay_apart():
    touch("a/x.png", "b/x.png", "b/c/y.png")
    assert found("a", "b/c/../x.png") == {"a/x.png": "out/a/x.png", "b/c/../x.png": "out/b/x.png"}


def test_what_is_named_twice_is_done_once():
    touch("a/x.png", "a/y.png")
    assert list(found("a", "a/x.png").values()) == ["out/x.png", "out/y.png"]


def test_masks_are_no_pictures():
    touch("p/p_1.tif", "p/p_1_mask.tif", "p/odd_mask.png", "f/images/x.png", "f/masks/x.png")
    assert list(found("p")) == ["p/odd_mask.png", "p/p_1.tif"]
    assert list(found("f")) == ["f/images/x.png"]
    assert list(found("f/masks")) == ["f/masks/x.png"]  # unless they are named


def test_earlier_masks_below_the_folder_are_no_pictures():
    touch("a/x.png", "a/out/x.png", "a/out/b/x.png")
    assert found("a", out=Path("a/out")) == {"a/x.png": "a/out/x.png"}


def test_overlays_lie_beside_the_masks():
    touch("a/x.png")
    assert find_pictures([Path("a")], OUT, overlay=True)[0].overlay == Path("out/x_overlay.png")
    assert find_pictures([Path("a")], OUT)[0].overlay is None


@pytest.mark.parametrize("out", ["a", "a/../a", "link"])
def test_nothing_is_written_among_the_pictures(out):
    touch("a/x.jpg")
    Path("link").symlink_to("a")
    with pytest.raises(UsageError, match=r"mask of a/x\.jpg would lie among the pictures"):
        found("a", out=Path(out))


def test_a_link_to_a_picture_does_not_bring_masks_beside_it():
    touch("a/x.png")
    Path("links").mkdir()
    Path("links/x.png").symlink_to(Path("a/x.png").resolve())
    with pytest.raises(UsageError, match="among the pictures"):
        found("links", out=Path("a"))


def test_two_pictures_never_share_a_mask():
    touch("a/x.png", "a/x.jpg", "b/x.png", "b/x_overlay.png")
    with pytest.raises(UsageError, match=r"a/x\.jpg and a/x\.png would both be .* out/x\.png"):
        found("a")
    with pytest.raises(UsageError, match=r"would both be written as out/x_overlay\.png"):
        find_pictures([Path("b")], OUT, overlay=True)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("gone", "no picture or folder 'gone'"),
        ("notes.txt", r"notes\.txt is no picture that can be read; endings are \.bmp"),
        ("empty", "folder 'empty' holds no pictures"),
    ],
)
def test_what_is_no_picture_is_named(name, sentence):
    touch("notes.txt")
    Path("empty").mkdir()
    with pytest.raises(TinysegError, match=sentence):
        found(name)


def test_pictures_alone_may_lie_anywhere_and_share_their_names():
    touch("a/x.png", "a/x.jpg", "a/x_mask.png", "a/out/old.png")
    assert list_pictures([Path("a"), Path("a/x.png")], Path("a/out")) == [
        Path("a/x.jpg"), Path("a/x.png"),
    ]  # fmt: skip
    assert Path("a/out/old.png") in list_pictures([Path("a")], Path("a"))
