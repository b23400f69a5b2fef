"""What a user may type after --data, and what is answered to what cannot be meant."""

import re

import pytest
from PIL import Image

from tinyseg.data import open_dataset
from tinyseg.data.sources import find_kind, layouts_by_kind
from tinyseg.errors import TinysegError, UsageError


@pytest.fixture
def both(tmp_path):
    """A folder that could be of two kinds."""
    for name in ("images/a.png", "masks/a.png", "p/p_1.png", "p/p_1_mask.png"):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 255).save(path)
    return tmp_path / "pictures"


def test_a_kind_may_be_said(both):
    assert open_dataset(f"lgg:{both}").keys == ["p_1"]
    assert open_dataset(f"folder:{both}").keys == ["a"]


def test_relative_folders_are_remembered_whole(both, monkeypatch):
    monkeypatch.chdir(both.parent)
    source = open_dataset("lgg:pictures").source
    monkeypatch.chdir("/")
    assert open_dataset(source).keys == ["p_1"]


def test_a_folder_called_as_a_kind_that_needs_none_is_not_mistaken(both, monkeypatch):
    both.rename(both.parent / "phantom")
    monkeypatch.chdir(both.parent)
    assert open_dataset("phantom").kind == "phantom"
    assert open_dataset("folder:phantom").kind == "folder"


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        ("{}/pictures", UsageError, "could be of the kinds folder and lgg. Say which, such as"),
        ("{}/pictures/images", TinysegError, "is of no known kind. Known layouts are cifar:"),
        ("{}/picturs", TinysegError, "no folder '{}/picturs'. Did you mean '{}/pictures'?"),
        ("lgg:{}/picturs", TinysegError, "Did you mean '{}/pictures'?"),
        ("{}/nothing-like-it", TinysegError, "or 'phantom' for synthetic volumes"),
        ("phantm", TinysegError, "Did you mean 'phantom'?"),
        ("phantm:seed=1", UsageError, "No dataset is called 'phantm'. Did you mean 'phantom'?"),
        ("lgg", UsageError, "Data of the kind lgg needs a folder. Such as lgg:FOLDER"),
        ("phantom:sed=1", UsageError, "has no setting 'sed'; it has patients and seed"),
        ("phantom:patients=0", UsageError, "patients should be 1 to 999, not '0'"),
        ("phantom:patients=many", UsageError, "patients should be 1 to 999, not 'many'"),
        ("phantom:seed=-1", UsageError, "seed should be a whole number, 0 or more, not '-1'"),
        ("phantom:seed", UsageError, "seed should be a whole number"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_their_mend(both, text, error, sentence):
    parent = str(both.parent)
    with pytest.raises(error, match=re.escape(sentence.replace("{}", parent))):
        open_dataset(text.replace("{}", parent))


def test_finding_the_kind_reads_nothing(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    kind, source = find_kind(str(tmp_path))
    assert (kind.kind, source) == ("folder", str(tmp_path))


def test_layouts_are_of_the_kinds_in_folders():
    assert {"folder", "lgg"} <= layouts_by_kind().keys()
    assert "phantom" not in layouts_by_kind()
