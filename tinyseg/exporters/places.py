"""Where in a network something goes wrong: operator, module path, source line."""

import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import fx, nn

_TRACE_LINE = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in ')


class Place(NamedTuple):
    """Where in a network; None is what is not known.

    Attributes:
        operator: PyTorch's name of it, such as ``aten.median.dim``.
        module: path in the network; ``(network)`` for the network itself.
        source: file, as imports find it, and line.
    """

    operator: str | None = None
    module: str | None = None
    source: str | None = None

    def __str__(self) -> str:
        operator = f" at {self.operator}" if self.operator else ""
        module = f" in {self.module}" if self.module else ""
        source = f" ({self.source})" if self.source else ""
        return f"{operator}{module}{source}".strip()


def named(path: str) -> str:
    """A module's path as users read it."""
    return path or "(network)"


def place_of_node(node: "fx.Node") -> Place:
    """Where a node of an exported graph comes from."""
    calls = list((node.meta.get("nn_module_stack") or {}).values())
    module = None
    if calls:
        path = calls[-1][0] if isinstance(calls[-1], tuple) else str(calls[-1])
        module = named(path.removeprefix("L['self']").removeprefix("."))
    return Place(str(node.target), module, _last_line(node.meta.get("stack_trace") or ""))


def place_of_error(error: BaseException, network: "nn.Module") -> Place:
    """Where a converter stopped, as far as an exception's frames tell.

    Either a frame works on a node of the graph, or the network's own code is running.
    """
    frames = [frame for each in chain(error) for frame, _ in _frames(each)]
    nodes = [node for frame in frames if (node := _node_in(frame))]
    if nodes:
        return place_of_node(nodes[-1])
    paths = {id(module): path for path, module in _running(error, network).named_modules()}
    for each in chain(error):
        place = Place()
        for frame, line in _frames(each):
            path = _path_of(frame, paths)
            module = place.module if path is None else named(path)
            ours = module and not is_library(frame.f_code.co_filename)
            place = Place(
                None, module, source(frame.f_code.co_filename, line) if ours else place.source
            )
        if place.module:
            return place
    return Place()


def chain(error: BaseException) -> list[BaseException]:
    """An exception and what led to it, the first cause first."""
    found = [error]
    while (before := found[-1].__cause__ or found[-1].__context__) and before not in found:
        found.append(before)
    return found[::-1]


def calling(frame: FrameType | None, paths: Mapping[int, str]) -> tuple[str | None, str, int]:
    """Which of a network's modules called its way down to a frame, and from which line.

    Args:
        frame: the innermost.
        paths: of the modules, by their identity.

    Returns:
        The module's path, the file and the line; no path where no module's own code is running.
    """
    file, line = "", 0
    while frame:
        if not is_library(frame.f_code.co_filename):
            if not file:
                file, line = frame.f_code.co_filename, frame.f_lineno
            path = _path_of(frame, paths)
            if path is not None:
                return path, file, line
        frame = frame.f_back
    return None, "", 0


def is_library(file: str) -> bool:
    """Whether code is PyTorch's or made while running, and no network's."""
    return file.startswith((_torch_folder(), "<"))


@cache
def _torch_folder() -> str:
    import torch

    return torch.__path__[0]


def _running(error: BaseException, network: "nn.Module") -> "nn.Module":
    """The network, or the copy of it that an exporter rewrote."""
    frames = (frame for each in chain(error) for frame, _ in _frames(each))
    return next((own for each in frames if type(own := _itself(each)) is type(network)), network)


def _path_of(frame: FrameType, paths: Mapping[int, str]) -> str | None:
    """Of the module whose method a frame runs."""
    return paths.get(id(_itself(frame)))


def _itself(frame: FrameType) -> object:
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None


def _frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    trace = error.__traceback__
    while trace:
        yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next


def _node_in(frame: FrameType) -> "fx.Node | None":
    from torch import fx

    for value in frame.f_locals.values():
        if isinstance(value, fx.Node) and value.op == "call_function":
            return value
    return None


def _last_line(trace: str) -> str | None:
    lines = [match for match in _TRACE_LINE.finditer(trace) if not is_library(match["file"])]
    return source(lines[-1]["file"], lines[-1]["line"]) if lines else None


def source(file: str, line: int | str) -> str:
    """A line of a file, which is named as imports find it: without a folder of ``sys.path``."""
    path = Path(file)
    roots = [Path(root).resolve() for root in sys.path if root] + [Path.cwd()]
    inside: list[Any] = [path.relative_to(root) for root in roots if path.is_relative_to(root)]
    name = min(inside, key=lambda each: len(each.parts), default=path.name)
    return f"{name}:{line}"
