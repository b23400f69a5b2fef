"""The zoo: one family a file, and a registry of names."""

from tinyseg.networks.encoder_weights import EncoderWeights, start_encoder
from tinyseg.networks.importing import import_run
from tinyseg.networks.registry import (
    Network,
    PaperRow,
    build,
    class_names,
    known,
    parse_arguments,
)
from tinyseg.networks.weights import build_recorded, load_network

__all__ = [
    "EncoderWeights",
    "Network",
    "PaperRow",
    "build",
    "build_recorded",
    "class_names",
    "import_run",
    "known",
    "load_network",
    "parse_arguments",
    "start_encoder",
]
