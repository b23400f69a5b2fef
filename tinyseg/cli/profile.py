"""`tinyseg profile`."""


def profile() -> None:
    """Placeholder until its author replaces it."""
