"""`tinyseg models`."""


def models() -> None:
    """Placeholder until its author replaces it."""
