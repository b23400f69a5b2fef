"""`tinyseg predict`."""


def predict() -> None:
    """Placeholder until its author replaces it."""
