"""The selective scan: one function, several backends, and forms that exporters can take."""

from tinyseg.scan.arguments import Discretisation
from tinyseg.scan.backends import BACKENDS, scan_sequence
from tinyseg.scan.exporting import Form, scan_form
from tinyseg.scan.interface import selective_scan

__all__ = ["BACKENDS", "Discretisation", "Form", "scan_form", "scan_sequence", "selective_scan"]
