"""An artifact for microcontrollers as C++ source, to be compiled into firmware."""

import re
from pathlib import Path

from tinyseg.errors import TinysegError
from tinyseg.exporters.subject import resolve
from tinyseg.runs import write_text
from tinyseg.runs.records import Arena, Manifest, Tensor

_ALIGNMENT = 16  # of the file and of the arena, as TensorFlow Lite for Microcontrollers demands
_BYTES_A_LINE = 16


def write_c_array(artifact: Path) -> tuple[Path, Path]:
    """Writes ``NAME.h`` and ``NAME.cc`` beside an artifact ``NAME.tflite``.

    Args:
        artifact: exported for microcontrollers, its manifest beside it.

    Returns:
        The header's path and the source's.

    Raises:
        TinysegError: it was not, it has changed since, or it failed.
    """
    manifest = resolve(str(artifact)).manifest
    assert manifest is not None
    arena = manifest.artifact.arena
    if arena is None or not manifest.artifact.passed:
        raise TinysegError(
            f"{artifact} was not exported for microcontrollers, or failed.",
            "Use tinyseg export --target mcu.",
        )
    header, source = artifact.with_suffix(".h"), artifact.with_suffix(".cc")
    name = _identifier(artifact.stem)
    data = artifact.read_bytes()
    write_text(header, _header(name, header.name, len(data), manifest, arena))
    write_text(source, _source(name, header.name, data))
    return header, source


def _header(name: str, file_name: str, length: int, manifest: Manifest, arena: Arena) -> str:
    contents, guard = manifest.contents, f"{name.upper()}_H_"
    mean, std = (
        ", ".join(f"{each!r}f" for each in values)
        for values in (contents.preprocessing.mean, contents.preprocessing.std)
    )
    constants = "\n".join(
        [*_constants("Input", contents.input), *_constants("Output", contents.output)]
    )
    return f"""\
// {manifest.artifact.path}: {contents.network}, written by tinyseg {contents.tinyseg}.
//
//   alignas({_ALIGNMENT}) static uint8_t arena[{name}::kArenaBytes];
//   tflite::MicroInterpreter interpreter(
//       tflite::GetModel({name}::kModel), resolver, arena, {name}::kArenaBytes);
//   interpreter.AllocateTensors();
//   // Fill interpreter.input(0), then:
//   interpreter.Invoke();
//   // Read interpreter.output(0).
//
// Input: {contents.input.meaning}.
// Output: {contents.output.meaning}.
{_QUANTISED if contents.input.dtype == "int8" else ""}
#ifndef {guard}
#define {guard}

#include <cstddef>
#include <cstdint>

namespace {name} {{

// The file, SHA-256 {manifest.sha256}.
constexpr std::size_t kModelBytes = {length};
alignas({_ALIGNMENT}) extern const unsigned char kModel[kModelBytes];

// {arena.activations_bytes} bytes of activations and {arena.persistent_bytes} that last, as planned
// on a machine of 64 bits: one of 32 bits needs less of the latter.
constexpr std::size_t kArenaBytes = {arena.total_bytes};

// A channel's value in [0, 1] goes in less its mean, over its standard deviation.
constexpr float kMean[] = {{{mean}}};
constexpr float kStd[] = {{{std}}};

{constants}

}}  // namespace {name}

#endif  // {guard}
"""


_QUANTISED = "// Both are whole numbers: real = scale * (whole - zero point).\n"


def _constants(which: str, tensor: Tensor) -> list[str]:
    """Shape of an input or output, and what its whole numbers mean."""
    shape = ", ".join(map(str, tensor.shape))
    lines = [f"constexpr int k{which}Shape[] = {{{shape}}};  // {tensor.layout}"]
    if tensor.scale is not None:
        lines += [
            f"constexpr float k{which}Scale = {tensor.scale!r}f;",
            f"constexpr int k{which}ZeroPoint = {tensor.zero_point};",
        ]
    return lines


def _source(name: str, header: str, data: bytes) -> str:
    lines = (data[start : start + _BYTES_A_LINE] for start in range(0, len(data), _BYTES_A_LINE))
    numbers = "\n".join("    " + " ".join(f"0x{byte:02x}," for byte in line) for line in lines)
    return f"""\
#include "{header}"

namespace {name} {{

alignas({_ALIGNMENT}) const unsigned char kModel[kModelBytes] = {{
{numbers}
}};

}}  // namespace {name}
"""


def _identifier(name: str) -> str:
    """A name that C++ takes, of a file's."""
    cleaned = re.sub(r"[\W_]+", "_", name, flags=re.ASCII).strip("_").lower()
    return cleaned if cleaned[:1].isalpha() else f"model_{cleaned}"
