"""Encoders that start from weights of other code: files, downloads, and what is refused."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tinyseg.errors import TinysegError, UsageError
from tinyseg.networks import build, encoder_weights, start_encoder
from tinyseg.networks.resnet_seg import RESNET18, RESNET50

LAYERS = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
BOTH = pytest.mark.parametrize("name", ["resnet18-seg", "resnet50-seg"])


def built(name: str = "resnet18-seg", **arguments) -> nn.Module:
    torch.manual_seed(0)
    return build(name, **arguments)


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """An encoder's weights as torchvision names them, with a classifier's."""
    weights = {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    for key, value in module.get_submodule("encoder").state_dict().items():
        place, _, rest = key.partition(".")
        weights[f"{LAYERS[place]}.{rest}"] = value + 1
    return weights


def saved(weights: dict[str, Tensor], file: Path) -> str:
    save_file(weights, file) if file.suffix == ".safetensors" else torch.save(weights, file)
    return str(file)


def assert_started(module: nn.Module, name: str) -> None:
    """The encoder is that of `weights_of`, the decoder as fresh as ever."""
    fresh = built(name).state_dict()
    for key, value in module.state_dict().items():
        assert torch.equal(value, fresh[key] + key.startswith("encoder.")), key


@BOTH
@pytest.mark.parametrize("file", ["weights.pth", "weights.safetensors"])
def test_the_encoder_starts_with_the_weights_of_a_file(name: str, file: str, tmp_path: Path):
    source = saved(weights_of(built(name)), tmp_path / file)
    module = built(name)
    start = start_encoder(module, name, source)
    assert_started(module, name)
    digest = hashlib.sha256((tmp_path / file).read_bytes()).hexdigest()
    assert (start.source, start.sha256) == (source, digest)


def test_files_without_numbers_of_batches_are_taken(tmp_path: Path):
    weights = weights_of(built())
    older = {name: w for name, w in weights.items() if not name.endswith("batches_tracked")}
    assert len(older) < len(weights)
    start_encoder(built(), "resnet18-seg", saved(older, tmp_path / "older.pth"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"bn1.bias": None}, "bn1.bias is missing"),
        (
            {"layer1.0.conv1.weight": torch.zeros(64, 3, 3, 3)},
            "layer1.0.conv1.weight is 64x3x3x3 where 64x64x3x3 is wanted",
        ),
        ({"layer1.2.conv1.weight": torch.ones(1)}, "layer1.2.conv1.weight is left over"),
    ],
)
def test_weights_that_are_not_the_encoder_s_are_refused(change, sentence: str, tmp_path: Path):
    weights = {**weights_of(built()), **change}
    file = saved({n: w for n, w in weights.items() if w is not None}, tmp_path / "other.pth")
    module = built()
    with pytest.raises(TinysegError) as refusal:
        start_encoder(module, "resnet18-seg", file)
    assert f"{file} does not fit the encoder of resnet18-seg: {sentence}." in str(refusal.value)
    for key, value in built().state_dict().items():
        assert torch.equal(module.state_dict()[key], value), key


def test_weights_for_colours_do_not_fit_grey_pictures(tmp_path: Path):
    file = saved(weights_of(built()), tmp_path / "colours.pth")
    with pytest.raises(TinysegError, match=r"conv1\.weight is 64x3x7x7 where 64x1x7x7 is wanted"):
        start_encoder(built(in_channels=1), "resnet18-seg", file)


def test_networks_without_such_an_encoder_name_those_that_have_one(tmp_path: Path):
    with pytest.raises(UsageError, match=r"unet has no encoder .*: resnet18-seg, resnet50-seg\."):
        start_encoder(built("unet"), "unet", "imagenet")


@pytest.fixture
def published(tmp_path, monkeypatch) -> Path:
    """A file as torchvision publishes them, behind an address that needs no internet."""
    file = tmp_path / "published.pth"
    torch.save(weights_of(built()), file)
    digits = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    file = file.rename(tmp_path / f"resnet18-{digits}.pth")
    takes = replace(RESNET18.encoder_weights, imagenet=file.as_uri())
    network = replace(RESNET18, encoder_weights=takes)
    monkeypatch.setattr(encoder_weights, "known", lambda _: network)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    return file


def test_weights_for_imagenet_are_downloaded_once_and_told(published: Path):
    told: list[str] = []
    module = built()
    start = start_encoder(module, "resnet18-seg", "imagenet", lambda what, *_: told.append(what))
    assert_started(module, "resnet18-seg")
    assert start.source == published.as_uri()
    assert start.sha256.startswith(published.stem.rpartition("-")[2])
    published.unlink()
    assert start_encoder(built(), "resnet18-seg", "imagenet") == start
    assert set(told) == {"Downloading, MB"}


def test_a_download_that_fails_asks_for_a_file(published: Path, tmp_path: Path):
    published.unlink()
    with pytest.raises(TinysegError, match=r"could not be downloaded \(.*--encoder-weights FILE"):
        start_encoder(built(), "resnet18-seg", "imagenet")


def test_a_download_of_something_else_is_refused(published: Path, tmp_path: Path):
    published.write_bytes(published.read_bytes() + b"\0")
    with pytest.raises(TinysegError, match=r"could not be downloaded \(.*hash"):
        start_encoder(built(), "resnet18-seg", "imagenet")
    assert not list((tmp_path / "home").rglob("*.pth"))


def test_addresses_are_torchvision_s():
    """Their names carry the first digits of the SHA-256."""
    names = [network.encoder_weights.imagenet.rpartition("/") for network in (RESNET18, RESNET50)]
    assert {folder for folder, *_ in names} == {"https://download.pytorch.org/models"}
    assert [name for *_, name in names] == ["resnet18-f37072fd.pth", "resnet50-0676ba61.pth"]
