"""`tinyseg evaluate`."""


def evaluate() -> None:
    """Placeholder until its author replaces it."""
