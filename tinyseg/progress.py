"""How long work tells how far it is, without knowing a terminal."""

from collections.abc import Callable

#: Called with what is being done, how much of it is done, how much there is (None: unknown), and
#: figures worth showing. A new ``what`` begins a new line.
Progress = Callable[[str, int, int | None, str], None]


def silent(what: str, done: int, total: int | None, figures: str) -> None:
    """Tells nobody."""
