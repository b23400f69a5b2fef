"""The selective scan: one function, several backends, and forms that exporters can take."""

from tinyseg.scan.arguments import Discretisation
from tinyseg.scan.backends import BACKENDS
from tinyseg.scan.exporting import Form, scan_form
from tinyseg.scan.interface import selective_scan
from tinyseg.scan.sequence import scan_sequence

__all__ = ["BACKENDS", "Discretisation", "Form", "scan_form", "scan_sequence", "selective_scan"]
