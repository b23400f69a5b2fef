"""How the description of a dataset looks."""

from collections.abc import Sequence
from statistics import median

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyseg.cli.scores import leak_note
from tinyseg.runs.records import DescribeDocument, PartDescribed, Quartiles, SplitDescribed


def view(document: DescribeDocument) -> RenderableType:
    """What is in the whole, and in each part of a split."""
    views: list[RenderableType] = [Text(document.data.source, "italic"), _facts(document)]
    of_pixels = document.data.task == "segmentation"
    if of_pixels and len(document.classes) > 1:
        views.append(_classes(document))
    if document.split is None:
        views.append(Text("Too few groups or images for a split."))
    else:
        volumes = document.data.groups_are_volumes
        views.append(
            _parts(document.split, volumes) if of_pixels else _part_classes(document.split)
        )
        if not of_pixels:
            views += _untrained(document)
        views += [Text(leak_note(leak), style="yellow") for leak in document.split.leaks]
    return Group(*views)


def _facts(document: DescribeDocument) -> Table:
    used = document.data
    table = Table(box=None, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("kind", used.kind)
    group = "volumes" if used.groups_are_volumes else "groups"
    alone = used.task == "classification" and used.groups == used.images
    table.add_row("images", f"{used.images:,}" + ("" if alone else f" in {used.groups:,} {group}"))
    if used.groups_are_volumes:
        table.add_row("images a volume", _spread(document.images_per_group))
    table.add_row("sizes", _sizes(document.sizes))
    if used.task == "segmentation":
        _add_foreground(table, document)
    else:
        _add_classes(table, document)
    return table


def _add_foreground(table: Table, document: DescribeDocument) -> None:
    classes = document.data.classes
    name = classes[0] if len(classes) == 1 else "foreground"
    marked, share = document.images_with_foreground or 0, document.foreground_share or 0
    table.add_row(f"with {name}", _of_all(marked, document))
    table.add_row("foreground", f"{share:.2%} of all pixels")
    table.add_row("its area, px", _spread(document.areas))
    if document.contrast is not None:
        table.add_row("over surroundings", _spread(document.contrast, ".2f"))
    if document.noise is not None:
        table.add_row("noise, levels", _spread(document.noise, ".1f"))


def _add_classes(table: Table, document: DescribeDocument) -> None:
    counts = [one.images for one in document.classes]
    table.add_row("classes", f"{len(counts):,}")
    table.add_row(
        "images a class", f"{_middle(counts)} (median; {min(counts):,} to {max(counts):,})"
    )
    absent = [one.name for one in document.classes if not one.images]
    if absent:
        table.add_row("without an image", _listed(absent))


def _untrained(document: DescribeDocument) -> list[RenderableType]:
    """What cannot be learnt from the split's training part."""
    assert document.split
    trained = document.split.parts[0].images_by_class
    absent = [one.name for one, images in zip(document.classes, trained, strict=True) if not images]
    return (
        [Text(f"Without an image in the train part: {_listed(absent)}.", style="yellow")]
        if absent
        else []
    )


def _listed(names: Sequence[str], shown: int = 12) -> str:
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more:,} more" if more > 0 else "")


def _of_all(images: int, document: DescribeDocument) -> str:
    return f"{images:,} images ({images / document.data.images:.1%} of them)"


def _middle(counts: Sequence[int]) -> str:
    """The median, with its half where it has one."""
    return f"{median(counts):,.1f}".removesuffix(".0")


def _spread(quartiles: Quartiles | None, form: str = ",.0f") -> str:
    if quartiles is None:
        return "no foreground"
    q = quartiles
    low, high = format(q.least, form), format(q.most, form)
    middle = " / ".join(format(value, form) for value in (q.lower, q.median, q.upper))
    return f"{middle} (quartiles; {low} to {high})"


def _sizes(sizes: dict[str, int], shown: int = 4) -> str:
    first = [f"{size} ({count:,})" for size, count in list(sizes.items())[:shown]]
    more = len(sizes) - shown
    return ", ".join(first) + (f" and {more:,} more" if more > 0 else "")


def _classes(document: DescribeDocument) -> Table:
    """The classes of the foreground, one a row."""
    table = Table(box=None, title="\nClasses", title_justify="left")
    table.add_column("class", overflow="fold")
    for column in ("images with it", "share of images", "share of pixels"):
        table.add_column(column, justify="right")
    for one in document.classes:
        images, share = one.images, one.share or 0
        whole = document.data.images
        table.add_row(one.name, f"{images:,}", f"{images / whole:.1%}", f"{share:.2%}")
    return table


def _parts(split: SplitDescribed, groups_are_volumes: bool) -> Table:
    table = Table(box=None, title=f"\n{_title(split, split.by)}", title_justify="left")
    table.add_column("part")
    group = "volumes" if groups_are_volumes else "groups"
    for column in (group, "images", "with", "without", "share with"):
        table.add_column(column, justify="right")
    for part in split.parts:
        table.add_row(*_part(part))
    return table


def _title(split: SplitDescribed, by: str) -> str:
    own = "; the test part is the dataset's own" if split.own_test else ""
    return f"Split by {by}, seed {split.seed}{own}"


def _part(part: PartDescribed) -> list[str]:
    marked = part.images_with_foreground or 0
    figures = (part.groups, part.images, marked, part.images - marked)
    return [part.part, *(f"{figure:,}" for figure in figures), f"{marked / part.images:.1%}"]


def _part_classes(split: SplitDescribed) -> Table:
    """What the parts have of the classes of whole pictures."""
    alone = all(part.groups == part.images for part in split.parts)
    title = _title(split, "image" if alone else split.by)
    table = Table(box=None, title=f"\n{title}", title_justify="left")
    table.add_column("part")
    for column in ("images", "classes", "images a class: least", "median", "most"):
        table.add_column(column, justify="right")
    for part in split.parts:
        counts = part.images_by_class
        figures = (part.images, sum(count > 0 for count in counts), min(counts))
        last = (_middle(counts), f"{max(counts):,}")
        table.add_row(part.part, *(f"{figure:,}" for figure in figures), *last)
    return table
