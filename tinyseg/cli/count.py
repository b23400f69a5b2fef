"""`tinyseg count`."""


def count() -> None:
    """Placeholder until its author replaces it."""
