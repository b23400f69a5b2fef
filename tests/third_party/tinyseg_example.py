"""Somebody else's package: a network, a dataset, an exporter and a device of their own."""

import os
from pathlib import Path
from typing import ClassVar

import numpy as np
from torch import Tensor, nn

from tinyseg.data.sample import Sample
from tinyseg.exporters import Conversion, Details, Session
from tinyseg.networks import Network
from tinyseg.profiles import Request, Target
from tinyseg.runs.machine import this_machine
from tinyseg.runs.records import (
    Contents,
    Latency,
    Memory,
    Noise,
    Precision,
    ProfileRecord,
    Task,
)


def _threshold(in_channels: int = 3, classes: int = 1, taps: int = 1) -> nn.Module:
    return nn.Conv2d(in_channels, classes, taps, padding=taps // 2)


class _Branching(nn.Conv2d):
    """Decides by the numbers it sees, which no exporter can follow."""

    def __init__(self, in_channels: int = 3, classes: int = 1) -> None:
        super().__init__(in_channels, classes, 1)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input if input.mean().item() > 0 else -input)


ONE_LAYER = Network(_threshold, family="Example")
BRANCHING = Network(_Branching, family="Example")


class Discs:
    """Four pictures of a disc."""

    kind: ClassVar[str] = "discs"
    task: ClassVar[Task] = "segmentation"
    layout: ClassVar[str | None] = "discs.txt"
    keys = ("a", "b", "c", "d")
    test_keys = ()
    classes = ("disc",)
    channels = 3
    groups_are_volumes = False
    source = "discs"
    threshold_channel = None

    @classmethod
    def recognises(cls, folder: Path) -> bool:
        return (folder / "discs.txt").is_file()

    @classmethod
    def from_source(cls, source: str) -> "Discs":
        return cls()

    def group(self, key: str) -> str:
        return key

    def read(self, key: str) -> Sample:
        rows, columns = np.mgrid[:64, :64]
        radius = 8 + 4 * self.keys.index(key)
        mask = ((rows - 32) ** 2 + (columns - 32) ** 2 < radius**2).astype(np.uint8)
        return Sample(np.repeat(mask[..., None] * 200, 3, 2).astype(np.uint8), mask, key, key)


class NumpyExporter:
    """A 1x1 convolution as an ``.npz`` file, run by NumPy."""

    name: ClassVar[str] = "npz-file"
    suffix: ClassVar[str] = ".npz"
    runtime: ClassVar[str] = "numpy"
    extra: ClassVar[str | None] = None
    converts_with: ClassVar[tuple[str, ...]] = ()
    runs_with: ClassVar[tuple[str, ...]] = ("numpy",)
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32",)
    options: ClassVar[tuple[str, ...]] = ()

    def supports(self, module: nn.Module) -> str | None:
        alone = isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1)
        return None if alone else "only a single 1x1 convolution can be written."

    def export(
        self, module: nn.Module, example: Tensor, path: Path, conversion: Conversion
    ) -> Details:
        assert isinstance(module, nn.Conv2d)
        assert module.bias is not None
        weight, bias = module.weight.detach().numpy(), module.bias.detach().numpy()
        with path.open("wb") as file:
            np.savez(file, weight=weight, bias=bias, contents=conversion.contents.model_dump_json())
        return Details(1, None, "none")

    def holds(self, path: Path) -> dict[str, int]:
        arrays = [array for array in np.load(path).values() if array.dtype.kind == "f"]
        return {"float32": sum(array.nbytes for array in arrays)}

    def contents(self, path: Path) -> Contents:
        return Contents.model_validate_json(str(np.load(path)["contents"]))

    def session(self, path: Path, threads: int = 1) -> Session:
        file = np.load(path)
        weight, bias = file["weight"][:, :, 0, 0], file["bias"]
        return lambda images: np.einsum("oi,bihw->bohw", weight, images) + bias[:, None, None]


class RoundingExporter(NumpyExporter):
    """The same with weights of 8 bits, one scale for all of them, and a layout of its own."""

    name: ClassVar[str] = "npz-rounded"
    suffix: ClassVar[str] = ".rounded.npz"
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "int8", "int8-full")
    options: ClassVar[tuple[str, ...]] = ("layout",)

    def export(
        self, module: nn.Module, example: Tensor, path: Path, conversion: Conversion
    ) -> Details:
        details = super().export(module, example, path, conversion)
        arrays = dict(np.load(path))
        precision, pictures = conversion.options.precision, conversion.calibration
        if precision == "int8":
            assert pictures is not None
            arrays["scale"] = np.float32(np.abs(arrays["weight"]).max() / 127)
            arrays["weight"] = np.round(arrays["weight"] / arrays["scale"]).astype(np.int8)
            arrays["seen"] = pictures.mean((0, 2, 3))
        with path.open("wb") as file:
            np.savez(file, **arrays)
        return details

    def holds(self, path: Path) -> dict[str, int]:
        weight = np.load(path)["weight"]
        return {weight.dtype.name: weight.nbytes}

    def session(self, path: Path, threads: int = 1) -> Session:
        file = np.load(path)
        weight = file["weight"][:, :, 0, 0] * file.get("scale", np.float32(1))
        return lambda images: (
            np.einsum("oi,bihw->bohw", weight, images) + file["bias"][:, None, None]
        )


class WrongExporter(NumpyExporter):
    """The same, but what it writes is a little wrong, or not a number."""

    name: ClassVar[str] = "npz-wrong"
    factor = 1.01

    def export(
        self, module: nn.Module, example: Tensor, path: Path, conversion: Conversion
    ) -> Details:
        assert isinstance(module, nn.Conv2d)
        wrong = nn.Conv2d(module.in_channels, module.out_channels, 1)
        wrong.load_state_dict({k: v * self.factor for k, v in module.state_dict().items()})
        return super().export(wrong, example, path, conversion)


class NotANumberExporter(WrongExporter):
    """One whose runtime divides nought by nought."""

    name: ClassVar[str] = "npz-nan"
    factor = float("nan")


class CrashingExporter(NumpyExporter):
    """One whose runtime takes the whole process with it."""

    name: ClassVar[str] = "npz-crash"

    def session(self, path: Path, threads: int = 1) -> Session:
        os.abort()


class CarelessExporter(NumpyExporter):
    """One whose session gives the same memory every time."""

    name: ClassVar[str] = "npz-careless"

    def session(self, path: Path, threads: int = 1) -> Session:
        run, kept = super().session(path, threads), list[np.ndarray]()

        def careless(images: np.ndarray) -> np.ndarray:
            kept.append(run(images))
            kept[0][:] = kept[-1]
            return kept[0]

        return careless


class Abacus:
    """A device that takes a millisecond for everything, when it lies on the table."""

    name: ClassVar[str] = "abacus"

    def available(self) -> str | None:
        on_table = os.environ.get("ABACUS") == "on the table"
        return None if on_table else "it should lie on the table."

    def measure(self, target: Target, request: Request) -> ProfileRecord:
        size = target.file.stat().st_size
        return ProfileRecord(
            device=self.name,
            runtime=target.runtime,
            artifact=target.label,
            precision=target.precision,
            threads=request.threads,
            batch=target.input[0],
            input=list(target.input),
            latency_ms=Latency(p50=1, p90=1, p95=1, p99=1, mean=1, std=0, p50_ci95=(1, 1)),
            cold_start_ms=1,
            throughput=target.input[0] * 1e3,
            memory=Memory(
                artifact_bytes=size,
                arena_bytes=size,
                baseline_bytes=0,
                peak_bytes=size,
                rise_bytes=size,
            ),
            energy_j=0.001,
            trusted=True,
            noise=Noise(relative_iqr=0, load_average=None, reasons=[]),
            machine=this_machine(),
            samples_ms=[1.0],
            versions={},
        )
