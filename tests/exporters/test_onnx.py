"""What the ONNX exporter writes, run by ONNX Runtime against PyTorch."""

import copy
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from tests.command import tinyseg
from tests.exporters.onnx_files import contents, logits_of, pictures, small, write
from tinyseg.errors import TinysegError, UsageError
from tinyseg.exporters import onnx as exporter_module
from tinyseg.exporters.onnx import OnnxExporter
from tinyseg.exporters.onnx_graphs import count_nodes, graphs, opset_of

LOOPS = {"Scan", "Loop", "If"}


def operators(path: Path) -> set[str]:
    return {node.op_type for each in graphs(onnx.load(path).graph) for node in each.node}


def differs(path: Path, network: nn.Module, images: np.ndarray) -> float:
    return float(np.abs(OnnxExporter().session(path)(images) - logits_of(network, images)).max())


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(
    "kind",
    [
        partial(nn.GroupNorm, 4),
        nn.InstanceNorm2d,
        partial(nn.InstanceNorm2d, track_running_stats=True),
    ],
    ids=["group", "instance", "running"],
)
@pytest.mark.parametrize("dynamic", [False, True], ids=["fixed", "free"])
def test_norms_keep_their_digits_over_many_pixels(
    tmp_path: Path, kind, affine: bool, dynamic: bool
):
    """Few of the pixels stand out, where sums one after another lose digits: 1e-5."""
    torch.manual_seed(0)
    norm = kind(8, affine=affine)
    for value in norm.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.5, 2)
    images = 0.3 + 5 * torch.randn(1, 8, 128, 128) * (torch.rand(1, 8, 128, 128) < 0.02)
    norm.eval()
    expected = copy.deepcopy(norm).double()(images.double()).detach().numpy()
    write(norm, tmp_path / "norm.onnx", shape=tuple(images.shape), dynamic=dynamic)
    found = OnnxExporter().session(tmp_path / "norm.onnx")(images.numpy())
    assert np.abs(found - expected).max() / np.abs(expected).max() < 1e-6


@pytest.fixture(scope="module")
def free(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("free") / "free.onnx"
    write(small(), path, dynamic=True)
    return path


@pytest.mark.parametrize(
    ("batch", "height", "width"), [(1, 24, 24), (3, 24, 24), (2, 40, 16), (1, 8, 4), (2, 21, 34)]
)
def test_a_free_file_takes_any_batch_height_and_width(free, batch, height, width):
    images = torch.randn(batch, 3, height, width).numpy()
    assert differs(free, small(), images) < 1e-5


def test_a_free_file_names_what_is_free(free):
    graph = onnx.load(free).graph
    sides = [
        [side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in (graph.input[0], graph.output[0])
    ]
    assert sides == [["batch", channels, "height", "width"] for channels in (3, 1)]


def test_a_fixed_file_takes_its_own_size_alone(tmp_path):
    write(small(), tmp_path / "x.onnx")
    run = OnnxExporter().session(tmp_path / "x.onnx")
    assert run(pictures(1)).shape == (1, 1, 24, 24)
    for images in (pictures(2), pictures(1, side=32)):
        with pytest.raises(Exception, match="invalid dimensions"):
            run(images)


def test_a_network_of_one_size_cannot_be_left_free(tmp_path):
    with pytest.raises(TinysegError, match="umamba-enc takes pictures of one size alone"):
        write(small(), tmp_path / "x.onnx", network="umamba-enc", dynamic=True)
    assert not (tmp_path / "x.onnx").exists()


def test_a_layer_that_has_a_size_of_its_own_is_told(tmp_path):
    class Placed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.places = nn.Parameter(torch.rand(1, 1, 24, 24))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.places

    with pytest.raises(TinysegError, match="Height and width of unet cannot be left free") as told:
        write(Placed(), tmp_path / "x.onnx", dynamic=True)
    assert told.value.mend == "Leave out --dynamic."


def test_a_layer_that_writes_its_size_down_is_found_by_running_the_file(tmp_path):
    """PyTorch exports bins of an adaptive pool for the sides of its example, and says nothing."""
    pooled = nn.Sequential(nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(3)).eval()
    with pytest.raises(TinysegError, match=r"a layer writes its size down, .* fails on 40x20"):
        write(pooled, tmp_path / "x.onnx", shape=(1, 3, 20, 20), dynamic=True)
    assert not (tmp_path / "x.onnx").exists()


def test_a_portable_file_has_no_control_flow(tmp_path):
    loops, portable = tmp_path / "loops.onnx", tmp_path / "portable.onnx"
    assert write(small(), loops).scan == "hop2"
    details = write(small(), portable, scan="portable")
    assert details.scan == "g8"
    assert operators(loops) & LOOPS == {"Scan"}
    assert not operators(portable) & LOOPS
    model = onnx.load(portable)
    assert len(list(graphs(model.graph))) == 1
    assert details.nodes == len(model.graph.node) == count_nodes(model.graph)
    assert differs(portable, small(), pictures(1)) < 1e-5


@pytest.mark.parametrize("opset", [18, 25])
def test_a_file_has_the_opset_that_was_asked_for(tmp_path, opset):
    path = tmp_path / "x.onnx"
    assert write(small(), path, opset=opset).opset == opset == opset_of(onnx.load(path))
    assert differs(path, small(), pictures(1)) < 1e-5


def test_a_wrong_stamp_is_an_error(tmp_path, monkeypatch):
    """PyTorch says nothing where it does not know an opset, and stamps another."""
    monkeypatch.setattr(exporter_module, "_OPSETS", range(18, 99))
    with pytest.raises(TinysegError, match="stamped with opset 18, where 27 was asked for"):
        write(small(), tmp_path / "x.onnx", opset=27)
    assert not (tmp_path / "x.onnx").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"opset": 17}, "ONNX is written in opsets 18 to 25, not 17. Choose one of them."),
        ({"opset": 26}, "ONNX is written in opsets 18 to 25, not 26. Choose one of them."),
        ({"scan": "portable", "dynamic": True}, "which --dynamic leaves open. Leave out one"),
    ],
)
def test_what_there_is_not_is_refused(tmp_path, options, sentence):
    with pytest.raises(UsageError, match=sentence):
        write(small(), tmp_path / "x.onnx", **options)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--opset", "27"),
            "ONNX is written in opsets 18 to 25, not 27. Mend: Choose one of them.",
        ),
        (("--scan", "portable", "--dynamic"), "Mend: Leave out one of them."),
        (("--layout", "nhwc"), "--layout nhwc means nothing to onnx."),
    ],
)
def test_the_command_refuses_it_before_anything_is_done(tmp_path, arguments, sentence):
    done = tinyseg("export", "unet", "--format", "onnx", *arguments, "--out", tmp_path / "out")
    assert sentence in " ".join(done.stderr.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert not (tmp_path / "out").exists()


def test_a_file_says_what_it_needs_and_nothing_of_how_it_came_to_be(tmp_path):
    path = tmp_path / "x.onnx"
    write(small(), path)
    assert OnnxExporter().contents(path) == contents()
    for graph in graphs(onnx.load(path).graph):
        parts = (*graph.node, *graph.initializer, *graph.value_info)
        assert not any(part.doc_string or part.metadata_props for part in parts)
