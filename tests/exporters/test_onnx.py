"""What the ONNX exporter writes, run by ONNX Runtime against PyTorch in float64."""

import copy
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tinyseg.data import Preprocessing
from tinyseg.exporters.onnx import OnnxExporter
from tinyseg.runs.records import Contents, Tensor


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
def test_norms_keep_their_digits_over_many_pixels(tmp_path: Path, kind, affine: bool):
    """Few of the pixels stand out, where sums one after another lose digits: 1e-5."""
    torch.manual_seed(0)
    norm = kind(8, affine=affine)
    for value in norm.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.5, 2)
    images = 0.3 + 5 * torch.randn(1, 8, 128, 128) * (torch.rand(1, 8, 128, 128) < 0.02)
    norm.eval()
    expected = copy.deepcopy(norm).double()(images.double()).detach().numpy()
    path = tmp_path / "norm.onnx"
    shape = list(images.shape)
    image = Tensor(name="image", shape=shape, dtype="float32", layout="NCHW", meaning="")
    contents = Contents(
        tinyseg="", network="", arguments={}, run=None, input=image,
        output=image.model_copy(update={"name": "logits"}),
        preprocessing=Preprocessing(size=128, mean=(0,) * 8, std=(1,) * 8), classes=["x"],
        threshold=0.5,
    )  # fmt: skip
    exporter = OnnxExporter()
    exporter.export(norm, images, path, contents)
    found = exporter.session(path)(images.numpy())
    assert np.abs(found - expected).max() / np.abs(expected).max() < 1e-6
