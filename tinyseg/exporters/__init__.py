"""One file a format; parity, manifests, and what a command works on. Importing brings no torch."""

from tinyseg.exporters.asked import require_formats
from tinyseg.exporters.base import Conversion, Details, Exporter, Inspectable, Session
from tinyseg.exporters.check import check, require_proof
from tinyseg.exporters.export import export, export_all
from tinyseg.exporters.outcome import Outcome
from tinyseg.exporters.own import resolve_own
from tinyseg.exporters.subject import Subject, resolve

__all__ = [
    "Conversion",
    "Details",
    "Exporter",
    "Inspectable",
    "Outcome",
    "Session",
    "Subject",
    "check",
    "export",
    "export_all",
    "require_formats",
    "require_proof",
    "resolve",
    "resolve_own",
]
