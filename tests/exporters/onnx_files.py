"""A network that has everything, small, and ONNX files of networks without a child process."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinyseg.data import Preprocessing
from tinyseg.exporters.base import Conversion, Details
from tinyseg.exporters.onnx import OnnxExporter
from tinyseg.layers import ParallelVisionMamba
from tinyseg.networks.segmentation import SegmentationNetwork
from tinyseg.runs import records

SHAPE = (1, 3, 24, 24)


class Small(SegmentationNetwork):
    """Convolutions, norms of groups and channels, a layer norm, a scan; pads to a multiple of 4."""

    multiple = 4

    def __init__(self) -> None:
        super().__init__()
        self.entry, self.group = nn.Conv2d(3, 16, 3, padding=1), nn.GroupNorm(4, 16)
        self.mix = ParallelVisionMamba(16, 16, branches=2)
        self.channel = nn.InstanceNorm2d(16, affine=True)
        self.exit = nn.ConvTranspose2d(16, 1, 4, stride=4)

    def logits(self, x: Tensor) -> Tensor:
        """See `SegmentationNetwork.logits`."""
        x = F.gelu(self.group(F.max_pool2d(self.entry(x), 4)))
        return self.exit(self.channel(self.mix(x)) + x)


def small() -> Small:
    """Seeded, with norms that do something."""
    torch.manual_seed(0)
    network = Small().eval()
    with torch.no_grad():
        for norm in (network.group, network.channel):
            norm.weight.uniform_(0.5, 2)
            norm.bias.uniform_(-1, 1)
    return network


def pictures(count: int, side: int = SHAPE[2], seed: int = 0) -> np.ndarray:
    """Inputs of a spread that differs from one to the next."""
    random = np.random.default_rng(seed)
    spread = np.linspace(0.5, 2, count)[:, None, None, None]
    return (spread * random.normal(size=(count, 3, side, side))).astype(np.float32)


def logits_of(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """PyTorch's, computed in float32."""
    with torch.no_grad():
        return network(torch.from_numpy(images)).numpy()


def contents(shape: tuple[int, ...] = SHAPE, network: str = "unet") -> records.Contents:
    """What a file says about itself."""
    image = records.Tensor(
        name="image", shape=list(shape), dtype="float32", layout="NCHW", meaning=""
    )
    channels = shape[1]
    return records.Contents(
        tinyseg="1", network=network, arguments={}, run="r", input=image,
        output=image.model_copy(update={"name": "logits"}), classes=["x"], threshold=0.4,
        preprocessing=Preprocessing(size=shape[2], mean=(0,) * channels, std=(1,) * channels),
    )  # fmt: skip


def write(
    module: nn.Module,
    path: Path,
    *,
    shape: tuple[int, ...] = SHAPE,
    network: str = "unet",
    calibration: np.ndarray | None = None,
    **options: object,
) -> Details:
    """Exports a module with options of `records.ExportOptions`."""
    asked = records.ExportOptions.model_validate(options)
    conversion = Conversion(contents(shape, network), asked, calibration)
    return OnnxExporter().export(module, torch.rand(shape), path, conversion)
