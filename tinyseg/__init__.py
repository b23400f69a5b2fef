# pyright: reportUnsupportedDunderAll=false
"""tinyseg: which compact vision network to ship to a small device, with numbers that hold.

The names below are imported on first use, so that ``import tinyseg`` brings no torch.
"""

from importlib import import_module
from typing import Any

from tinyseg.errors import TinysegError

__all__ = [
    "TinysegError",
    "__version__",
    "build",
    "compare",
    "count",
    "evaluate",
    "export",
    "open_dataset",
    "profile",
    "selective_scan",
    "train",
]

__version__ = "0.1.0"

_HOMES = {
    "build": "tinyseg.networks",
    "compare": "tinyseg.comparison",
    "count": "tinyseg.counting",
    "evaluate": "tinyseg.evaluation",
    "export": "tinyseg.exporters",
    "open_dataset": "tinyseg.data",
    "profile": "tinyseg.profiles",
    "selective_scan": "tinyseg.scan",
    "train": "tinyseg.training",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tinyseg' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
