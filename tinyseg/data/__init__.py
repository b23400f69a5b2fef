# pyright: reportUnsupportedDunderAll=false
"""Datasets: readers, splits, the leak audit, description and checks.

The names below are imported on first use, so that the run folder's records, which know
`Preprocessing`, come without the readers.
"""

from importlib import import_module
from typing import Any

__all__ = [
    "Dataset",
    "Pictures",
    "Preprocessing",
    "Sample",
    "audit_leaks",
    "check_data",
    "describe_data",
    "load_pictures",
    "make_split",
    "open_dataset",
    "plot_parts",
]

_HOMES = {
    "Dataset": "tinyseg.data.sample",
    "Pictures": "tinyseg.data.cache",
    "Preprocessing": "tinyseg.data.preprocessing",
    "Sample": "tinyseg.data.sample",
    "audit_leaks": "tinyseg.data.leaks",
    "check_data": "tinyseg.data.check",
    "describe_data": "tinyseg.data.describe",
    "load_pictures": "tinyseg.data.cache",
    "make_split": "tinyseg.data.splits",
    "open_dataset": "tinyseg.data.sources",
    "plot_parts": "tinyseg.data.plots",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tinyseg.data' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
