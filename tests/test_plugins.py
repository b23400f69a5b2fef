"""Other people's packages come in through the same door as the built-in parts."""

import pytest

from tinyseg import plugins
from tinyseg.errors import TinysegError, UsageError
from tinyseg.networks import build


def test_built_in_parts_are_entry_points():
    variants = [f"ul-vm-unet-v{number}" for number in range(1, 7)]
    for_classes = ["resnet50", "resnet9", "vim", "vit"]
    mamba = ["ul-vm-unet", *variants, "umamba-bot", "umamba-bot-pp", "umamba-enc"]
    others = ["resnet18-seg", "resnet50-seg", "segformer", "segformer-b0", "segvit", *mamba, "unet"]
    assert plugins.names("networks") == sorted([*for_classes, *others])
    assert plugins.names("datasets") == ["cifar", "folder", "lgg", "phantom"]
    assert plugins.names("exporters") == ["executorch", "onnx", "openvino", "pt2", "tflite"]
    assert plugins.names("devices") == ["cpu"]


@pytest.mark.usefixtures("third_party")
def test_a_network_of_somebody_else():
    assert sum(p.numel() for p in build("one-layer", taps=3).parameters()) == 28


@pytest.mark.usefixtures("third_party")
def test_a_dataset_of_somebody_else(tmp_path):
    from tinyseg.data import open_dataset

    (tmp_path / "discs.txt").touch()
    dataset = open_dataset(str(tmp_path))
    assert dataset.kind == "discs"
    assert dataset.read("b").labels.sum() > dataset.read("a").labels.sum()


@pytest.mark.usefixtures("third_party")
def test_a_broken_package_is_named():
    with pytest.raises(TinysegError, match=r"'broken' \(tinyseg_example:NOT_THERE\) cannot be"):
        plugins.load("networks", "broken")


@pytest.mark.usefixtures("third_party")
def test_two_packages_with_one_name_are_an_error(tmp_path, monkeypatch):
    other = tmp_path / "other-1.0.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (other / "entry_points.txt").write_text("[tinyseg.networks]\none-layer = other:THING\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.found.cache_clear()
    with pytest.raises(TinysegError, match="Two packages offer networks named 'one-layer'"):
        plugins.found("networks")


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(
        UsageError, match=r"No exporter is called 'xyz'\. There are: executorch, onnx"
    ):
        plugins.load("exporters", "xyz")
