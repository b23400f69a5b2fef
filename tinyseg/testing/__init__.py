"""What networks have to keep, as checks that tests of other packages can run too."""

from tinyseg.testing.networks import CHECKS, NetworkCheck

__all__ = ["CHECKS", "NetworkCheck"]
