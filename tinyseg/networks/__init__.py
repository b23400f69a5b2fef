"""The zoo: one family a file, and a registry of names."""

from tinyseg.networks.registry import Network, PaperRow, build, known, parse_arguments
from tinyseg.networks.weights import build_recorded, load_network

__all__ = [
    "Network",
    "PaperRow",
    "build",
    "build_recorded",
    "known",
    "load_network",
    "parse_arguments",
]
