"""Runs side by side: rows, Pareto front, paired differences, table, picture. Knows no torch."""

from tinyseg.comparison.notes import notes
from tinyseg.comparison.pictures import check_suffix, plot
from tinyseg.comparison.rows import compare
from tinyseg.comparison.tables import ComparisonTable

__all__ = ["ComparisonTable", "check_suffix", "compare", "notes", "plot"]
