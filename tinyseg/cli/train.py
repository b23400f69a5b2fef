"""`tinyseg train`."""


def train() -> None:
    """Placeholder until its author replaces it."""
