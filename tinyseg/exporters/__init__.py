"""One file a format; parity, manifests, and what a command works on. Importing brings no torch."""

from tinyseg.exporters.asked import require_formats
from tinyseg.exporters.base import Conversion, Details, Exporter, Inspectable, Session
from tinyseg.exporters.c_array import write_c_array
from tinyseg.exporters.check import check, require_proof
from tinyseg.exporters.export import export, export_all
from tinyseg.exporters.outcome import Outcome
from tinyseg.exporters.own import resolve_own
from tinyseg.exporters.preflight import preflight, require_preflight
from tinyseg.exporters.subject import Subject, resolve
from tinyseg.exporters.traced import Traced

__all__ = [
    "Conversion",
    "Details",
    "Exporter",
    "Inspectable",
    "Outcome",
    "Session",
    "Subject",
    "Traced",
    "check",
    "export",
    "export_all",
    "preflight",
    "require_formats",
    "require_preflight",
    "require_proof",
    "resolve",
    "resolve_own",
    "write_c_array",
]
