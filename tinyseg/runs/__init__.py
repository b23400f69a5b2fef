"""The run folder: its schema, atomic writing, locks and looking runs up. Knows no torch."""

from tinyseg.runs.files import whole_file, write_text
from tinyseg.runs.folder import Run

__all__ = ["Run", "whole_file", "write_text"]
