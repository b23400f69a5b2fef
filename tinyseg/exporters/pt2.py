"""torch.export archives, or packages compiled ahead of time by AOTInductor; run by PyTorch."""

import ctypes
import os
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tinyseg.errors import TinysegError
from tinyseg.exporters.base import Conversion, Details, Session
from tinyseg.runs.records import Contents, ExportOptions, Precision

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

_KEY = "tinyseg"
_MODEL = "model"
_ORIGINS = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn")
_HELD = {0: "int8", 1: "int8", 5: "float16", 6: "float32", 7: "float64", 15: "bfloat16"}


class PT2Exporter:
    """Writes one ``.pt2`` file; scans are unrolled in chunks of eight.

    It holds PyTorch's own operators alone, or, compiled, a library for processors like this one.
    Both run faster than with PyTorch's scan operator, whose loop runs in Python.
    """

    name: ClassVar[str] = "pt2"
    suffix: ClassVar[str] = ".pt2"
    runtime: ClassVar[str] = "torch-export"
    extra: ClassVar[str | None] = None
    converts_with: ClassVar[tuple[str, ...]] = ("torch",)
    runs_with: ClassVar[tuple[str, ...]] = ("torch",)
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32",)
    options: ClassVar[tuple[str, ...]] = ("aot",)

    def supports(self, module: "nn.Module") -> str | None:
        """Every network is tried."""
        return None

    def check_options(self, options: ExportOptions) -> None:
        """Compiling ahead of time needs a compiler.

        Raises:
            TinysegError: there is none.
        """
        if not options.aot:
            return
        from torch._inductor.cpp_builder import get_cpp_compiler
        from torch._inductor.exc import InvalidCxxCompiler

        try:
            get_cpp_compiler()
        except InvalidCxxCompiler:
            raise TinysegError(
                "--aot needs a C++ compiler, and neither the one that CXX names nor g++ is here.",
                "Install g++, or leave --aot out.",
            ) from None

    def export(
        self, module: "nn.Module", example: "Tensor", path: Path, conversion: Conversion
    ) -> Details:
        """Exports and saves, or compiles."""
        import torch
        from torch.export.pt2_archive._package import package_pt2

        from tinyseg.scan import scan_form

        extra = {_KEY: conversion.contents.model_dump_json()}
        with scan_form("g8"), torch.no_grad():
            program = torch.export.export(module.requires_grad_(False), (example,))
        nodes = sum(node.op == "call_function" for node in program.graph.nodes)
        if conversion.options.aot:
            with tempfile.TemporaryDirectory(prefix="tinyseg-") as folder:
                package_pt2(path, aoti_files=_compile(program, folder), extra_files=extra)
        else:
            _forget_origins(program)
            package_pt2(path, exported_programs=program, extra_files=extra)
        return Details(nodes, None, "g8")

    def contents(self, path: Path) -> Contents:
        """Reads the archive's extra file ``tinyseg``."""
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if name.endswith(f"/extra/{_KEY}"):
                        return Contents.model_validate_json(archive.read(name))
        raise TinysegError(f"{path} was not written by tinyseg.")

    def holds(self, path: Path) -> dict[str, int]:
        """Of the program's weights and constants, or of those in the compiled library."""
        libraries = _libraries(path)
        if libraries:
            return _constants_in(libraries[0])
        with path.open("rb") as file:
            import torch

            program = torch.export.load(file)
        held: Counter[str] = Counter()
        for tensor in (*program.state_dict.values(), *program.constants.values()):
            if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
                held[str(tensor.dtype).removeprefix("torch.")] += tensor.nbytes
        return dict(held)

    def session(self, path: Path, threads: int = 1) -> Session:
        """The program, or the library, on as many of PyTorch's threads."""
        import torch
        from torch.export.pt2_archive._package import load_pt2

        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        with path.open("rb") as file:
            archive = load_pt2(file)
        compiled, programs = archive.aoti_runners, archive.exported_programs
        model: Callable[[Any], Any]
        model = compiled[_MODEL] if compiled else programs[_MODEL].module()

        def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
            with torch.inference_mode():
                return model(torch.from_numpy(images)).numpy()

        return run


def _forget_origins(program: "ExportedProgram") -> None:
    """Drops the example and each operator's stack trace: half of the file, and paths from here."""
    from torch.fx import GraphModule

    program.example_inputs = None
    for module in program.graph_module.modules():
        if isinstance(module, GraphModule):
            for node in module.graph.nodes:
                for origin in _ORIGINS:
                    node.meta.pop(origin, None)


def _compile(program: "ExportedProgram", folder: str) -> list[Any]:
    """The files of a package that are needed to run it; their sources are not."""
    import torch

    os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
    assert program.example_inputs
    files: Any = torch._inductor.aot_compile(  # pyright: ignore[reportPrivateUsage]
        program.module(),
        *program.example_inputs,
        options={
            "aot_inductor.package": True,
            "aot_inductor.enable_frame_pointer": False,
            "aot_inductor.enable_line_tables": False,
            "aot_inductor.precompile_headers": False,
            "cpp.dynamic_threads": True,  # as many as there are then, not now
        },
    )
    return [file for file in files if Path(file).suffix != ".cpp"]


def _libraries(path: Path) -> list[bytes]:
    with zipfile.ZipFile(path) as archive:
        return [archive.read(name) for name in archive.namelist() if name.endswith(".so")]


def _constants_in(library: bytes) -> dict[str, int]:
    """Asks a compiled model, by the C functions that AOTInductor gives every library."""
    import_module("torch")  # the library is linked to it
    held: Counter[str] = Counter()
    with tempfile.NamedTemporaryFile(prefix="tinyseg-", suffix=".so") as file:
        file.write(library)
        file.flush()
        model = ctypes.CDLL(file.name)
        container, count = ctypes.c_void_p(), ctypes.c_size_t()
        kind, size = ctypes.c_int32(), ctypes.c_size_t()
        model.AOTInductorModelContainerCreateWithDevice(ctypes.byref(container), 1, b"cpu", None)
        model.AOTInductorModelContainerGetNumConstants(container, ctypes.byref(count))
        for number in range(count.value):
            at = ctypes.c_size_t(number)
            model.AOTInductorModelContainerGetConstantDtype(container, at, ctypes.byref(kind))
            model.AOTInductorModelContainerGetConstantDataSize(container, at, ctypes.byref(size))
            if kind.value in _HELD:
                held[_HELD[kind.value]] += size.value
        model.AOTInductorModelContainerDelete(container)
    return dict(held)
