"""Weights of other code as runs: what each form of file becomes, and what is refused."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.networks.check_values import fill, picture
from tinyseg.data import Preprocessing
from tinyseg.errors import TinysegError, UsageError
from tinyseg.networks import build, import_run, importing, load_network, registry
from tinyseg.networks.foreign_weights import read_weights
from tinyseg.runs import Run

PICTURES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
SMALL = {"base_channels": 4, "depth": 2}


def filled(name: str, **arguments) -> nn.Module:
    return fill(build(name, **arguments)).float()


def repeated(weights: dict) -> dict:
    """With the keys that U-Mamba's blocks and decoder add."""
    again = {f"decoder.encoder.{name}": tensor for name, tensor in weights.items()}
    return {**again, **weights, **{f"x.all_modules.0.{n}": t for n, t in weights.items()}}


FORMS = {
    "bare": lambda weights: weights,
    "parallel": lambda weights: {f"module.{n}": t for n, t in weights.items()},
    "checkpoint": lambda weights: {
        "epoch": 3,
        "loss": np.mean([0.5, 0.25]),
        "model_state_dict": weights,
        "optimizer_state_dict": {"state": {}, "param_groups": [{"lr": 0.001}]},
    },
    "state_dict": lambda weights: {"state_dict": weights},
    "model": lambda weights: {"model": {f"module.{n}": t for n, t in weights.items()}},
    "repeated": repeated,
    "double": lambda weights: {n: t.double() for n, t in weights.items()},
}


def saved(path: Path, network: nn.Module, form: str = "bare") -> Path:
    torch.save(FORMS[form](network.state_dict()), path)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_weights(tmp_path, form):
    network = filled("ul-vm-unet")
    file = saved(tmp_path / "best.pth", network, form)
    run = import_run(file, "ul-vm-unet", "plain", size=32, runs=tmp_path / "runs")
    loaded = load_network(run)
    assert loaded.state_dict().keys() == network.state_dict().keys()
    x = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded(x), network(x))
    assert run.record.imported is not None
    assert run.record.imported.dropped == (2 * 129 if form == "repeated" else 0)


def doubled(weights: dict) -> dict:
    """As the code of the paper saves U-Mamba: each block names its layers twice, and the decoder
    holds the encoder."""
    named_twice = {
        **weights,
        **{n.replace(".conv.", ".all_modules.0."): t for n, t in weights.items()},
    }
    encoder = {f"decoder.{n}": t for n, t in named_twice.items() if n.startswith("encoder.")}
    return {f"module.{n}": t for n, t in {**named_twice, **encoder}.items()}


@pytest.mark.parametrize(
    ("name", "tensors", "values", "dropped"),
    [("umamba-bot", 171, 27_025_476, 98), ("umamba-bot-pp", 179, 27_288_132, 98)],
)
def test_original_u_mambas_are_read(tmp_path, name, tensors, values, dropped):
    network, file = filled(name), tmp_path / "last.pth"
    saved_weights = doubled(network.state_dict())
    assert len(saved_weights) == tensors
    assert sum(tensor.numel() for tensor in saved_weights.values()) == values
    torch.save(saved_weights, file)
    run = import_run(file, name, "paper", size=64, runs=tmp_path / "runs")
    assert run.record.imported is not None
    assert run.record.imported.dropped == dropped
    assert "encoder.stem.convs.0.conv.weight was turned" in run.record.imported.notes[-1]
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        found, expected = load_network(run)(x), network(x.flip(1))
    assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-4)


@pytest.mark.parametrize("name", ["resnet18-seg", "resnet50-seg"])
def test_original_resnets_are_read(tmp_path, name):
    """With running means, which are weights too."""
    network = filled(name)
    for key, value in network.state_dict().items():
        if key.endswith("running_mean"):
            value.normal_(std=0.1)
    file = saved(tmp_path / "last.pth", network, "parallel")
    run = import_run(file, name, "paper", size=64, runs=tmp_path / "runs")
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        found, expected = load_network(run)(x), network(x.flip(1))
    assert found.numpy() == pytest.approx(expected.numpy(), rel=1e-4, abs=1e-4)


def test_safetensors_are_read_too(tmp_path):
    network, file = filled("unet", **SMALL), tmp_path / "best.safetensors"
    save_file(network.state_dict(), file)
    run = import_run(file, "unet", "plain", arguments=SMALL, size=32, runs=tmp_path)
    for name, tensor in load_network(run).state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name])


def test_vision_mamba_calls_its_way_back_otherwise(tmp_path):
    arguments = {"width": 16, "depth": 2, "convolution": "causal", "class_token": True}
    network, file = filled("vim", **arguments), tmp_path / "vim.pth"
    theirs = {
        re.sub(r"back\.(conv1d|x_proj|dt_proj|A|D)", r"\1_b", name): weight
        for name, weight in network.state_dict().items()
    }
    assert {f"layers.1.mixer.{name}" for name in (
        "conv1d_b.weight", "conv1d_b.bias", "x_proj_b.weight", "dt_proj_b.weight",
        "dt_proj_b.bias", "A_b_log", "D_b", "A_log", "D",
    )} <= set(theirs)  # fmt: skip
    assert {
        "cls_token", "pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias",
        "layers.0.norm.weight", "norm_f.weight", "head.weight", "head.bias",
    } <= set(theirs)  # fmt: skip
    torch.save({"model": theirs}, file)
    run = import_run(file, "vim", "plain", arguments=arguments, size=32, runs=tmp_path)
    for name, weight in load_network(run).state_dict().items():
        assert torch.equal(weight, network.state_dict()[name]), name


def test_the_published_check_values_come_out(tmp_path):
    file = saved(tmp_path / "best.pth", filled("ul-vm-unet"), "parallel")
    run = import_run(file, "ul-vm-unet", "plain", size=64, runs=tmp_path)
    with torch.no_grad():
        y = torch.sigmoid(load_network(run)(picture().float()))[0, 0]
    found = [y.mean(), y.std(correction=0), y[0, 0], y[5, 7], y[-1, -1]]
    published = (0.5539748345, 0.1248018946, 0.2655339406, 0.5134401606, 0.9953128129)
    assert [value.item() for value in found] == pytest.approx(published, abs=5e-6)


def test_a_run_says_where_it_comes_from(tmp_path):
    file = saved(tmp_path / "best.pth", filled("unet", **SMALL))
    run = import_run(file, "unet", "plain", arguments=SMALL, size=32, runs=tmp_path)
    record, imported = run.record, run.record.imported
    assert (run.name, record.state, record.network) == ("unet-imported-1", "finished", "unet")
    assert (record.data, record.protocol, record.epochs_done) == (None, None, 0)
    assert record.arguments == SMALL
    assert imported is not None
    assert (imported.file, imported.origin, imported.classes) == (
        str(file),
        "plain",
        ["foreground"],
    )
    assert run.count is not None
    assert (run.count.input, run.count.parameters) == ((1, 3, 32, 32), record.parameters)


def test_pictures_from_0_to_255(tmp_path):
    network = filled("ul-vm-unet")
    file = saved(tmp_path / "best.pth", network)
    run = import_run(file, "ul-vm-unet", "ultralight-vm-unet", size=32, runs=tmp_path)
    values = run.record.preprocessing.normalise(PICTURES)
    raw = torch.from_numpy(PICTURES.transpose(0, 3, 1, 2).astype(np.float32))
    assert values == pytest.approx(raw.numpy(), rel=2e-7)
    with torch.no_grad():
        expected, found = network(raw), load_network(run)(torch.from_numpy(values))
        assert torch.equal(load_network(run)(raw), expected)
    assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-4)
    assert run.record.imported is not None
    assert "stretched each picture" in run.record.imported.notes[1]


@pytest.mark.parametrize(("name", "arguments"), [("ul-vm-unet", {}), ("unet", SMALL)])
def test_weights_for_bgr_take_rgb(tmp_path, name, arguments):
    network = filled(name, **arguments)
    file = saved(tmp_path / "best.pth", network, "parallel")
    run = import_run(file, name, "paper", arguments=arguments, size=32, runs=tmp_path)
    values = torch.from_numpy(run.record.preprocessing.normalise(PICTURES))
    assert values.max() == 1
    with torch.no_grad():
        found, expected = load_network(run)(values), network(values.flip(1))
        other = network(values)
    assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-5)
    assert (found - other).abs().max() > 1e-3
    assert run.record.imported is not None
    assert "encoder1.0.weight was turned around" in run.record.imported.notes[-1]


class TwoEntrances(nn.Module):
    def __init__(self, in_channels: int = 3, classes: int = 1) -> None:
        super().__init__()
        self.one = nn.Conv2d(in_channels, classes, 1)
        self.two = nn.Conv2d(in_channels, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.one(x) + self.two(x)


def test_bgr_is_refused_where_a_picture_enters_two_layers(tmp_path, monkeypatch):
    for module in (registry, importing):
        monkeypatch.setattr(module, "known", lambda name: registry.Network(TwoEntrances, "test"))
    file = saved(tmp_path / "best.pth", TwoEntrances())
    with pytest.raises(UsageError, match="two has no single layer that a picture enters"):
        import_run(file, "two", "paper", size=32, runs=tmp_path / "runs")
    assert import_run(file, "two", "plain", size=32, runs=tmp_path / "runs").best_weights.is_file()


@pytest.mark.parametrize(("name", "arguments"), [("ul-vm-unet", {}), ("unet", SMALL)])
def test_channels_and_classes_are_those_of_the_weights(tmp_path, name, arguments):
    network = filled(name, in_channels=4, classes=2, **arguments)
    file = saved(tmp_path / "best.pth", network)
    options = {"arguments": arguments, "size": 32, "runs": tmp_path / "runs"}
    run = import_run(file, name, "paper", **options)
    assert (run.record.channels, run.record.classes) == (4, ["background", "class 1"])
    assert len(run.record.preprocessing.mean) == 4
    x = torch.rand(1, 4, 32, 32)
    with torch.no_grad():
        assert torch.equal(load_network(run)(x), network(x))
    named = import_run(file, name, "plain", classes=["a", "b"], **options)
    assert named.record.classes == ["a", "b"]
    with pytest.raises(UsageError, match="tell 2 classes apart, --classes names 1"):
        import_run(file, name, "plain", classes=["a"], **options)


@pytest.mark.parametrize(
    ("other", "arguments", "model", "sentence"),
    [
        (
            "ul-vm-unet-v2",
            {},
            "ul-vm-unet",
            r"does not fit ul-vm-unet: encoder\S+ is \S+ where \S+ is wanted, and \d+ more like "
            r"it\. The weights fit --model ul-vm-unet-v2\.",
        ),
        (
            "unet",
            SMALL,
            "ul-vm-unet",
            r"\S+ is missing, and \d+ more .*is left over, and \d+ more .*Name another --model",
        ),
        ("unet", SMALL, "unet", r"encoder3\.0\.weight is missing.*or its arguments by --set"),
    ],
)
def test_weights_of_another_network_are_refused(tmp_path, other, arguments, model, sentence):
    file = saved(tmp_path / "best.pth", build(other, **arguments))
    with pytest.raises(TinysegError, match=sentence):
        import_run(file, model, "paper", size=32, runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


class Calls:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_code_in_a_file_is_not_run(tmp_path):
    torch.save({"weight": Calls(tmp_path / "made")}, tmp_path / "bad.pth")
    with pytest.raises(TinysegError, match=r"it calls (posix|nt)\.mkdir, which was not run"):
        read_weights(tmp_path / "bad.pth")
    assert not (tmp_path / "made").exists()


def test_a_whole_network_is_refused(tmp_path):
    torch.save(build("unet", **SMALL), tmp_path / "whole.pt")
    with pytest.raises(TinysegError, match=r"calls tinyseg\.networks\.unet\.UNet.*state_dict"):
        read_weights(tmp_path / "whole.pt")


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_truncated_file_is_named(tmp_path, kind, share):
    file, weights = tmp_path / f"cut.{kind}", build("unet", **SMALL).state_dict()
    torch.save(weights, file) if kind == "pth" else save_file(weights, file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(TinysegError, match=f"{re.escape(str(file))} is damaged, or no file of w"):
        read_weights(file)


def test_other_files_are_named(tmp_path):
    with pytest.raises(UsageError, match=r"best\.onnx should be a file of weights, \.pth, \.pt"):
        read_weights(tmp_path / "best.onnx")
    with pytest.raises(TinysegError, match="There is no file"):
        read_weights(tmp_path / "best.pth")
    for content in ({"epoch": 3}, {}, [torch.zeros(2)], torch.zeros(2)):
        torch.save(content, tmp_path / "best.pth")
        with pytest.raises(TinysegError, match="holds no weights by name"):
            read_weights(tmp_path / "best.pth")


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_nothing_stays_of_an_import_that_was_cut_off(tmp_path, monkeypatch, error):
    def write(*_: object) -> None:
        raise error

    monkeypatch.setattr(Run, "write", write)
    file = saved(tmp_path / "best.pth", build("unet", **SMALL))
    with pytest.raises(error):
        import_run(file, "unet", "plain", arguments=SMALL, size=32, runs=tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_name_is_taken_once(tmp_path):
    file = saved(tmp_path / "best.pth", build("unet", **SMALL))
    options = {"arguments": SMALL, "size": 32, "runs": tmp_path / "runs", "name": "mine"}
    assert import_run(file, "unet", "plain", **options).name == "mine"
    kept = (tmp_path / "runs" / "mine" / "run.json").read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        import_run(file, "unet", "plain", **options)
    assert (tmp_path / "runs" / "mine" / "run.json").read_bytes() == kept


def test_values_from_0_to_255_are_those_from_0_to_1_times_255():
    scaled = Preprocessing(size=32, mean=(0,) * 3, std=(1 / 255,) * 3)
    plain = Preprocessing(size=32, mean=(0,) * 3, std=(1,) * 3)
    assert scaled.normalise(PICTURES) == pytest.approx(255 * plain.normalise(PICTURES), rel=2e-7)
