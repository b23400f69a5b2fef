"""TensorFlow Lite for Microcontrollers: files run and their memory planned by its own interpreter.

Its reference kernels give on a computer what they give on a board.
"""

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyseg.children import run_child, serve
from tinyseg.exporters.base import Runtime
from tinyseg.runs.records import Arena, Precision

RUNTIME = Runtime("tflm", ("tflite_micro",), "mcu")

#: What files for microcontrollers are written in. Float32 activations with 8-bit weights are
#: refused by its kernels; float16 weights would be stored as such and used by none.
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8-full")

_LEAST_ARENA = 1 << 24
_MOST_ARENA = 1 << 30
_LONGEST_S = 300
_TOTALS = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")


class MicroInterpreter:
    """The interpreter behind the methods that TFLite's interpreters have.

    Args:
        path: a ``.tflite`` file.
        arena_bytes: working memory; by default as much as it takes.

    Raises:
        RuntimeError: the file has an operator or a type that there is no kernel for, or needs more
            memory; the message is the interpreter's own.
    """

    def __init__(self, path: Path, arena_bytes: int | None = None) -> None:
        self._interpreter = _load(path.read_bytes(), arena_bytes)

    def allocate_tensors(self) -> None:
        """Nothing: the arena is planned as the file is loaded."""

    def get_input_details(self) -> list[dict[str, Any]]:
        """Shape, type and quantisation of the input."""
        return [_details(self._interpreter.get_input_details(0))]

    def get_output_details(self) -> list[dict[str, Any]]:
        """Shape, type and quantisation of the output."""
        return [_details(self._interpreter.get_output_details(0))]

    def set_tensor(self, index: int, value: NDArray[Any]) -> None:
        """Sets the input."""
        self._interpreter.set_input(np.ascontiguousarray(value), index)

    def invoke(self) -> None:
        """Runs one inference."""
        self._interpreter.invoke()

    def get_tensor(self, index: int) -> NDArray[Any]:
        """The output."""
        return self._interpreter.get_output(index)

    def arena(self) -> Arena:
        """What the allocator has recorded."""
        with _standard_error() as said:
            self._interpreter.print_allocations()
        found = {name: int(number) for name, number in _TOTALS.findall(said[0])}
        return Arena(
            activations_bytes=found["head"],
            persistent_bytes=found["tail"],
            total_bytes=found["total"],
        )


def plan(path: Path) -> Arena:
    """The memory that a file takes, planned in a child process.

    Raises:
        ChildError: the interpreter refused the file, or crashed.
    """
    answer = run_child(
        f"{RUNTIME.name}, planning {path.name},",
        "tinyseg.exporters.tflm",
        {"artifact": str(path.resolve())},
        timeout_s=_LONGEST_S,
    )
    return Arena.model_validate(answer)


def main() -> None:
    """Reads a request of `plan` and answers with the arena."""
    interpreter = MicroInterpreter(Path(json.load(sys.stdin)["artifact"]))
    interpreter.invoke()
    serve(interpreter.arena().model_dump())


def _load(model: bytes, arena_bytes: int | None) -> Any:
    from tflite_micro import runtime

    size = arena_bytes or _LEAST_ARENA
    while True:
        with _standard_error() as said, suppress(RuntimeError):
            return runtime.Interpreter.from_bytes(model, arena_size=size)
        # Where it lacks memory, it says how much of it is missing.
        if arena_bytes or "missing:" not in said[0] or size >= _MOST_ARENA:
            raise RuntimeError(" ".join(said[0].split()))
        size *= 2


def _details(found: dict[str, Any]) -> dict[str, Any]:
    quantisation = found["quantization_parameters"]
    scales, zero_points = quantisation["scales"], quantisation["zero_points"]
    scale = (float(scales[0]), int(zero_points[0])) if len(scales) else (0.0, 0)
    return {"index": 0, "quantization": scale, **found}


@contextmanager
def _standard_error() -> Iterator[list[str]]:
    """A list that holds, after the block, what was written to standard error, by C++ code too."""
    sys.stderr.flush()
    kept, said = os.dup(2), list[str]()
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            said.append(file.read().decode(errors="replace"))


if __name__ == "__main__":
    main()
