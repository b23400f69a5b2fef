"""Latency and memory: what is measured, where, and whether to believe it. Imports stay light."""

from tinyseg.profiles.base import Device, Request, Target
from tinyseg.profiles.profile import profile

__all__ = ["Device", "Request", "Target", "profile"]
