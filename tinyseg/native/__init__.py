"""Kernels in plain C for the processor, where the package was installed with a C compiler."""

from tinyseg.native.library import broken, library, unavailable, vector_width

__all__ = ["broken", "library", "unavailable", "vector_width"]
