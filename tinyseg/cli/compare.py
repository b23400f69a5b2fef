"""`tinyseg compare`."""


def compare() -> None:
    """Placeholder until its author replaces it."""
