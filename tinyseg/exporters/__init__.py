"""One file a format; parity, manifests, and what a command works on. Importing it is cheap."""

from tinyseg.exporters.base import Details, Exporter, Session
from tinyseg.exporters.subject import Subject, resolve

__all__ = ["Details", "Exporter", "Session", "Subject", "resolve"]
