"""`tinyseg export`."""


def export() -> None:
    """Placeholder until its author replaces it."""
