"""`tinyseg demo`."""


def demo() -> None:
    """Placeholder until its author replaces it."""
