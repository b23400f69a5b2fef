"""``export --target mcu``: files that TensorFlow Lite for Microcontrollers runs, by its own
interpreter."""

from pathlib import Path

import numpy as np
import pytest

from tests.command import tinyseg
from tinyseg.data import open_dataset
from tinyseg.exporters.base import load_exporter
from tinyseg.exporters.runtime import runtime_predictor
from tinyseg.exporters.subject import manifest_path
from tinyseg.runs.records import ExportDocument, Manifest, ProfileDocument, ProofDocument

pytest.importorskip("tflite_micro", reason="tflite-micro is not installed: tinyseg[mcu]")

#: A selective scan, GELU, a norm and convolutions of both kinds; 64 tokens make 8 chunks.
NETWORK = """
from torch import nn
from tinyseg.layers.parallel_vision_mamba import ParallelVisionMamba
def build():
    down, mixed = nn.Conv2d(3, 8, 4, stride=4), ParallelVisionMamba(8, 8)
    return nn.Sequential(down, nn.GELU(), mixed, nn.Softplus(), nn.ConvTranspose2d(8, 1, 4, 4))
"""
OWN = ("--from", "small:build", "--size", 32)
MCU = ("--format", "tflite", "--target", "mcu")
FILES = {"fp32": "small-build-mcu.tflite", "int8-full": "small-build-mcu-int8-full.tflite"}

every_precision = pytest.mark.parametrize("precision", FILES)


@pytest.fixture(scope="module")
def exported(once_for_all) -> Path:
    """The small network in both precisions, and what the command said of them; look only."""

    def make(folder: Path) -> None:
        folder.mkdir()
        (folder / "small.py").write_text(NETWORK)
        precisions = ("--precision", ",".join(FILES), "--calibration-images", 8)
        done = tinyseg(
            "export", *OWN, *MCU, *precisions, "--c-array", "--json", "--out", ".", cwd=folder
        )
        assert done.returncode == 0, done.stderr
        (folder / "said.json").write_text(done.stdout)

    return once_for_all("mcu", make)


def manifest_of(path: Path) -> Manifest:
    return Manifest.model_validate_json(manifest_path(path).read_bytes())


def interpreter_of(path: Path, arena_bytes: int = 1 << 22):
    from tflite_micro import runtime

    return runtime.Interpreter.from_file(str(path), arena_size=arena_bytes)


@every_precision
def test_the_interpreter_gives_what_the_network_gives(exported, precision):
    """Done again here, without the export's code: one inference on one picture."""
    import torch

    from tinyseg.exporters import resolve_own

    path = exported / FILES[precision]
    phantom = open_dataset("phantom")
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.chdir(exported)
        subject = resolve_own("small:build", size=32)
        picture = subject.preprocessing([phantom.read(phantom.keys[6]).image])
        expected = subject.network()(torch.from_numpy(picture)).numpy()
    interpreter, contents = interpreter_of(path), manifest_of(path).contents
    given, source = picture, contents.input
    if source.scale:
        assert source.zero_point is not None
        whole = np.rint(picture / source.scale) + source.zero_point
        given = whole.clip(-128, 127).astype(np.int8)
    interpreter.set_input(given, 0)
    interpreter.invoke()
    found, target = interpreter.get_output(0), contents.output
    if target.scale:
        found = (found.astype(np.float32) - target.zero_point) * np.float32(target.scale)
    noise = np.abs(found - expected).std() / expected.std()
    assert noise < (1e-5 if precision == "fp32" else 0.1)
    assert np.array_equal(runtime_predictor(path, "tflite")(picture), found)


@every_precision
def test_input_and_output_are_of_the_precision(exported, precision):
    path = exported / FILES[precision]
    interpreter, contents = interpreter_of(path), manifest_of(path).contents
    assert load_exporter("tflite").contents(path) == contents
    for tensor, details in (
        (contents.input, interpreter.get_input_details(0)),
        (contents.output, interpreter.get_output_details(0)),
    ):
        quantised = details["quantization_parameters"]
        assert np.dtype(details["dtype"]) == tensor.dtype
        assert tensor.dtype == ("int8" if precision == "int8-full" else "float32")
        assert list(quantised["scales"]) == [tensor.scale] * (precision == "int8-full")
        assert list(quantised["zero_points"]) == [tensor.zero_point] * (precision == "int8-full")


@every_precision
def test_the_arena_is_just_large_enough(exported, precision):
    path = exported / FILES[precision]
    arena = manifest_of(path).artifact.arena
    assert arena is not None
    assert arena.activations_bytes + arena.persistent_bytes == arena.total_bytes
    interpreter_of(path, arena.total_bytes).invoke()
    with pytest.raises(RuntimeError):
        interpreter_of(path, arena.total_bytes - 512)


def test_whole_numbers_take_less(exported):
    whole, real = (manifest_of(exported / FILES[name]) for name in ("int8-full", "fp32"))
    assert whole.artifact.arena.activations_bytes < 0.5 * real.artifact.arena.activations_bytes
    assert whole.holds["int8"] > 0


def test_what_the_command_says_and_leaves(exported):
    document = ExportDocument.model_validate_json((exported / "said.json").read_text())
    assert [Path(record.path).name for record in document.artifacts] == list(FILES.values())
    for record in document.artifacts:
        path = exported / FILES[record.precision]
        manifest = manifest_of(path)
        assert record.arena == manifest.artifact.arena
        assert (manifest.options.target, manifest.contents.target) == ("mcu", "mcu")
        assert "tflite-micro" in manifest.versions
        header, source = path.with_suffix(".h").read_text(), path.with_suffix(".cc").read_text()
        assert f"kArenaBytes = {record.arena.total_bytes};" in header
        assert source.count("0x") == path.stat().st_size


def test_the_table_tells_the_arena(exported):
    from rich.console import Console

    from tinyseg.cli.export import _view

    document = ExportDocument.model_validate_json((exported / "said.json").read_text())
    console = Console(width=200)
    with console.capture() as shown:
        console.print(_view(document))
    for record in document.artifacts:
        name, total = Path(record.path).name, record.arena.total_bytes
        assert f"{name}: an arena of {total:,} bytes" in shown.get()


def test_other_commands_run_it_by_the_same_interpreter(exported):
    path = exported / FILES["int8-full"]
    checked = tinyseg("export", "--check", path, *OWN, "--json", cwd=exported)
    assert checked.returncode == 0, checked.stderr
    proof = ProofDocument.model_validate_json(checked.stdout)
    assert (proof.runtime, proof.passed) == ("tflm", True)
    assert proof.parity == manifest_of(path).artifact.parity
    profiled = tinyseg("profile", path, "--json", "--max-seconds", 1, cwd=exported)
    assert profiled.returncode == 0, profiled.stderr
    (profile,) = ProfileDocument.model_validate_json(profiled.stdout).profiles
    assert (profile.runtime, profile.input) == ("tflm", [1, 3, 32, 32])


def test_a_file_for_other_runtimes_is_refused_with_the_operator(exported_runs):
    from tinyseg.exporters.tflm import MicroInterpreter

    path = exported_runs / "ul-vm-unet-drawn-1" / "artifacts" / "ul-vm-unet-drawn-1.tflite"
    with pytest.raises(RuntimeError, match="builtin opcode 'GELU'"):
        MicroInterpreter(path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((*MCU, "--precision", "int8-dynamic"), "mcu is written in fp32 and int8-full, not in"),
        (("--format", "onnx", "--target", "mcu"), "--target mcu means nothing to onnx."),
        (("--format", "tflite", "--c-array"), "Use it with --format tflite --target mcu."),
        (("--format", "onnx", "--c-array"), "Use it with --format tflite --target mcu."),
    ],
)
def test_what_cannot_be_meant_gets_one_sentence(tmp_path, options, sentence):
    done = tinyseg("export", "unet", "--size", 32, *options, "--out", tmp_path)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_without_the_interpreter_it_says_what_to_type(exported, tmp_path, hide):
    hidden = {"environment": hide("tflite_micro")}
    done = tinyseg("export", "unet", "--size", 32, *MCU, "--out", tmp_path / "out", **hidden)
    assert done.returncode == 1
    assert "for --target mcu needs the package tflite_micro" in " ".join(done.stderr.split())
    assert "pip install 'tinyseg[mcu]'" in done.stderr
    assert not (tmp_path / "out").exists()
    done = tinyseg("profile", exported / FILES["fp32"], **hidden)
    assert "pip install 'tinyseg[mcu]'" in done.stderr
