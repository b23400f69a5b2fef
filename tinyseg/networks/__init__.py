"""The zoo: one family a file, and a registry of names."""

from tinyseg.networks.registry import Network, PaperRow, build, known, parse_arguments
from tinyseg.networks.weights import load_network

__all__ = ["Network", "PaperRow", "build", "known", "load_network", "parse_arguments"]
