"""What networks and exporters have to keep, as checks that other packages' tests can run too."""

from tinyseg.testing.exporters import EXPORTER_CHECKS, ExporterCheck
from tinyseg.testing.networks import CHECKS, NetworkCheck

__all__ = ["CHECKS", "EXPORTER_CHECKS", "ExporterCheck", "NetworkCheck"]
