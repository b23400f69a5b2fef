"""C++ source of an artifact, compiled by a real compiler."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tinyseg.data import Preprocessing
from tinyseg.errors import TinysegError
from tinyseg.exporters import write_c_array
from tinyseg.exporters.subject import manifest_path, sha256
from tinyseg.runs.records import Arena, ArtifactRecord, Contents, Manifest, Parity, Tensor

PROGRAM = """
#include <cstdio>
#include "2nd--run-mcu.h"
using namespace model_2nd_run_mcu;
static_assert(kModelBytes == sizeof(kModel));
static_assert(sizeof(kInputShape) == 4 * sizeof(int) && kInputShape[3] == 3);
int main() {
    const std::size_t address = reinterpret_cast<std::size_t>(kModel);
    std::fprintf(stderr, "%zu %zu ", address % 16, kArenaBytes);
    std::fprintf(stderr, "%.9g %d ", kInputScale, kInputZeroPoint);
    std::fprintf(stderr, "%.9g %d %.9g\\n", kOutputScale, kOutputZeroPoint, kStd[2]);
    return std::fwrite(kModel, 1, kModelBytes, stdout) == kModelBytes ? 0 : 1;
}
"""
ENDS = {
    "input": Tensor(
        name="image", shape=[1, 8, 8, 3], dtype="int8", layout="NHWC", meaning="a picture",
        scale=0.006484183948487043, zero_point=-25,
    ),
    "output": Tensor(
        name="logits", shape=[1, 8, 8, 1], dtype="int8", layout="NHWC", meaning="logits",
        scale=1e-05, zero_point=122,
    ),
}  # fmt: skip


def artifact(folder: Path, *, passed: bool = True, arena: Arena | None = None) -> Path:
    """Any bytes, with the manifest of an export."""
    path = folder / "2nd--run-mcu.tflite"
    path.write_bytes(np.random.default_rng(0).bytes(4001))
    parity = Parity(
        max_abs=0, mean_abs=0, flips=0, logits=0, images=1, tolerance=1, passed=passed
    )  # fmt: skip
    record = ArtifactRecord(
        path=path.name, format="tflite", precision="int8-full", bytes=4001, nodes=1, seconds=1,
        parity=parity, accuracy=None, arena=arena,
    )  # fmt: skip
    contents = Contents(
        tinyseg="1", network="unet", arguments={}, run=None, classes=["x"], threshold=0.5,
        preprocessing=Preprocessing(size=8, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 1 / 3)),
        target="mcu", **ENDS,
    )  # fmt: skip
    manifest = Manifest(
        artifact=record, sha256=sha256(path), contents=contents, scan="lean", opset=None,
        versions={}, created="",
    )  # fmt: skip
    manifest_path(path).write_text(manifest.to_json())
    return path


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here to compile it with")
def test_the_compiled_array_is_the_file_and_the_constants_are_the_manifests(tmp_path):
    path = artifact(
        tmp_path, arena=Arena(activations_bytes=900, persistent_bytes=101, total_bytes=1001)
    )
    header, source = write_c_array(path)
    assert (header.name, source.name) == ("2nd--run-mcu.h", "2nd--run-mcu.cc")
    main, program = tmp_path / "main.cpp", tmp_path / "main"
    main.write_text(PROGRAM)
    warnings = ("-Wall", "-Wextra", "-Werror", "-pedantic", "-std=c++17")
    subprocess.run(["g++", *warnings, main, source, "-o", program], check=True)
    ran = subprocess.run([program], check=True, capture_output=True)
    assert ran.stdout == path.read_bytes()
    aligned, arena, *numbers = ran.stderr.decode().split()
    assert (int(aligned), int(arena)) == (0, 1001)
    expected = (0.006484183948487043, -25, 1e-05, 122, 1 / 3)
    assert [float(number) for number in numbers] == pytest.approx(expected, rel=1e-7)


def test_only_what_was_exported_for_microcontrollers_and_passed_is_written(tmp_path):
    arena = Arena(activations_bytes=900, persistent_bytes=101, total_bytes=1001)
    for path in (artifact(tmp_path), artifact(tmp_path, arena=arena, passed=False)):
        with pytest.raises(TinysegError, match="not exported for microcontrollers, or failed"):
            write_c_array(path)
    path = artifact(tmp_path, arena=arena)
    path.write_bytes(b"something else")
    with pytest.raises(TinysegError, match="SHA-256 differs"):
        write_c_array(path)
    assert not list(tmp_path.glob("*.cc"))
