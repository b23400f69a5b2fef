"""Parameters, multiply-accumulates and FLOPs of a network."""

from tinyseg.counting.count import count, scan_macs

__all__ = ["count", "scan_macs"]
