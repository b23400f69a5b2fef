"""The zoo: one family a file, and a registry of names."""

from tinyseg.networks.encoder_weights import EncoderWeights, start_encoder
from tinyseg.networks.importing import import_run
from tinyseg.networks.own import build_own, check_import_path, explained_forward, own_file_name
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
    "build_own",
    "build_recorded",
    "check_import_path",
    "class_names",
    "explained_forward",
    "import_run",
    "known",
    "load_network",
    "own_file_name",
    "parse_arguments",
    "start_encoder",
]
