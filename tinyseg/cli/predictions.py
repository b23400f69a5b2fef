"""How predictions look."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyseg.runs.records import ClassifyDocument, PredictDocument

_MOST_ROWS = 20
_MOST_CLASSES = 4  # with a column of their own


def view_masks(document: PredictDocument) -> RenderableType:
    """A table of the masks written and what they mark, with a column a class where few are told."""
    several = document.threshold is None
    how = "the most probable class" if several else f"threshold {document.threshold:g}"
    shown = document.classes if 1 < len(document.classes) <= _MOST_CLASSES else []
    table = _table(f"{document.subject}, {how}")
    table.add_column("mask", overflow="fold")
    table.add_column("foreground", justify="right", no_wrap=True)
    for name in shown:
        table.add_column(Text(name), justify="right", overflow="fold", min_width=6)
    for picture in document.pictures[:_MOST_ROWS]:
        shares = picture.shares or {}
        table.add_row(
            Text(picture.mask),
            f"{picture.foreground:.2%}",
            *(f"{shares[name]:.2%}" for name in shown),
        )
    return Group(table, *_more(len(document.pictures)))


def view_classes(document: ClassifyDocument) -> RenderableType:
    """A table of the pictures and what they show."""
    table = _table(document.subject)
    table.add_column("picture", overflow="fold")
    table.add_column("class", overflow="fold")
    table.add_column("probability", justify="right", no_wrap=True)
    table.add_column("next", overflow="fold")
    for picture in document.pictures[:_MOST_ROWS]:
        table.add_row(
            Text(picture.picture),
            Text(picture.label),
            f"{picture.probability:.1%}",
            Text("".join(f"{other.label} {other.probability:.1%}" for other in picture.top[1:2])),
        )
    return Group(table, *_more(len(document.pictures)))


def _table(title: str) -> Table:
    return Table(title=Text(title), title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))


def _more(pictures: int) -> list[Text]:
    more = pictures - _MOST_ROWS
    return [Text(f"and {more:,} more; --json lists all.", "dim")] if more > 0 else []
