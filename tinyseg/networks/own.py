"""A network of the user's own, by the import path of what builds it."""

import difflib
import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyseg.errors import TinysegError, UsageError

if TYPE_CHECKING:
    from torch import nn

#: Parts of mamba-ssm, in whose place `tinyseg.mamba_ssm` stands.
_STOOD_IN_FOR = ("mamba_ssm", "selective_scan_cuda", "causal_conv1d")
_LONGEST = 300  # characters of somebody's error that a sentence carries


def is_own(name: str) -> bool:
    """Whether a network's name is an import path."""
    return ":" in name


def build_own(path: str, arguments: Mapping[str, Any] | None = None) -> "nn.Module":
    """Calls what an import path names, and returns the network that it builds.

    The module is looked for in the current folder first, then among what is installed, as when
    Python runs there. What it prints goes to standard error.

    Args:
        path: ``MODULE:NAME``, such as ``mypackage.mymodule:build``.
        arguments: what it is called with.

    Returns:
        The network on the processor, ready for inference. Its input always lies in memory in
        PyTorch's own order, which networks written for that order may rely on.

    Raises:
        UsageError: no such module or name, or arguments that it does not take.
        TinysegError: the module cannot be imported, what it builds is no network, or building it
            fails.
    """
    from torch import nn

    called = _find(path)
    _check_arguments(path, called, arguments or {})
    with _explained(path, f"{path} failed"):
        network = called(**(arguments or {}))
    if not isinstance(network, nn.Module):
        raise TinysegError(
            f"{path} returned {_a(network)}, not a network (torch.nn.Module).",
            "Let it return the network, with its weights loaded if there are any.",
        )
    if next(network.parameters(), None) is None:
        raise TinysegError(f"The network of {path} has no parameters.")
    network.register_forward_pre_hook(_in_own_order)
    return network.cpu().eval()


def check_import_path(path: str) -> None:
    """Checks the form of an import path alone.

    Raises:
        UsageError: it is not ``MODULE:NAME``.
    """
    parts = path.replace(":", ".", 1).split(".")
    if ":" not in path or not all(part.isidentifier() for part in parts):
        raise UsageError(
            f"'{path}' should be MODULE:NAME of what builds a network.",
            "Such as mypackage.mymodule:build.",
        )


def own_file_name(path: str) -> str:
    """What files made from it are called: ``mymodule-build`` for ``mypackage.mymodule:build``."""
    module, _, name = path.partition(":")
    return f"{module.rpartition('.')[2]}-{name.replace('.', '-')}"


@contextmanager
def explained_forward(path: str, shape: tuple[int, ...]) -> Iterator[None]:
    """Turns what a network's own code raises about an input into a sentence.

    Raises:
        TinysegError: the block raised anything.
    """
    sides = "x".join(str(side) for side in shape)
    with _explained(path, f"The network of {path} failed on an input of {sides}"):
        yield


def _in_own_order(_: "nn.Module", inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(each.contiguous() if hasattr(each, "contiguous") else each for each in inputs)


def _find(path: str) -> Any:
    from torch import nn

    check_import_path(path)
    module_name, _, name = path.partition(":")
    with _explained(module_name, f"{module_name} cannot be imported"):
        module = import_module(module_name)
    try:
        found = reduce(getattr, name.split("."), module)
    except AttributeError:
        near = difflib.get_close_matches(name, dir(module), n=1, cutoff=0.5)
        where = getattr(module, "__file__", None) or module_name
        raise UsageError(
            f"{module_name} ({where}) has no '{name}'.",
            f"Did you mean '{module_name}:{near[0]}'?" if near else "",
        ) from None
    if isinstance(found, nn.Module):
        raise TinysegError(
            f"{path} is a network, not what builds one.",
            f"Name a function that returns it: def build(): return {name}",
        )
    if not callable(found):
        raise TinysegError(
            f"{path} is {_a(found)}, which cannot be called.", "Name a function or a class."
        )
    return found


def _check_arguments(path: str, called: Any, arguments: Mapping[str, Any]) -> None:
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):  # some of C have none
        return
    try:
        signature.bind(**arguments)
    except TypeError as error:
        takes = ", ".join(signature.parameters)
        raise UsageError(
            f"{path} cannot be called like that: {error}.",
            f"It takes {takes}; give them by --set NAME=VALUE." if takes else "It takes none.",
        ) from None


@contextmanager
def _explained(sought: str, what: str) -> Iterator[None]:
    """The user's own code runs inside; whatever it raises becomes a sentence."""
    try:
        with _this_folder_first(), redirect_stdout(sys.stderr):
            yield
    except TinysegError:
        raise
    except ModuleNotFoundError as error:
        raise _missing(sought, error) from error
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())[:_LONGEST].rstrip(".")
        raise TinysegError(
            f"{what}: {type(error).__name__}{f': {said}' if said else ''}.",
            _instead(said) or "Add --verbose to see where.",
        ) from error


def _missing(sought: str, error: ModuleNotFoundError) -> TinysegError:
    name = error.name or ""
    module = sought.partition(":")[0]
    if ":" not in sought and (module == name or module.startswith(f"{name}.")):
        return UsageError(
            f"There is no module '{module}', neither in this folder nor installed: no '{name}'.",
            "Go to the folder that holds it, or install its package.",
        )
    return TinysegError(
        f"{module} imports {name}, which is not installed.", _instead(name) or "Install it."
    )


def _instead(text: str) -> str:
    """How to do without mamba-ssm, where a text tells of it."""
    if not any(package in text for package in _STOOD_IN_FOR):
        return ""
    return "Change that import: from tinyseg.mamba_ssm import Mamba  (docs/own-network.md)."


@contextmanager
def _this_folder_first() -> Iterator[None]:
    """Later imports, of converters too, find what is installed before what lies in the folder."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
        if here not in sys.path:
            sys.path.append(here)


def _a(thing: object) -> str:
    return "nothing" if thing is None else f"an object of type {type(thing).__name__}"
