"""How scores look, wherever a command shows them."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyseg.runs.records import EvaluationRecord, Leak, Scores


def view(record: EvaluationRecord, warnings: Sequence[str] = ()) -> RenderableType:
    """A table of Dice, baselines and IoU, what they mean in words, and what speaks against them."""
    part = "all pictures" if record.split == "all" else f"the {record.split} part"
    table = Table(title=Text(f"{record.subject} on {part}"), box=box.SIMPLE, padding=(0, 1, 0, 0))
    table.title_justify = "left"
    table.add_column("")
    if record.dice.per_volume:
        table.add_column("per volume", justify="right")
        table.add_column("95 %")
    table.add_column("per image", justify="right")
    table.add_column("95 %")
    table.add_column("pooled", justify="right")
    table.add_row("Dice", *_cells(record.dice), style="bold")
    for name, scores in record.baselines.items():
        table.add_row(f" {name}", *_cells(scores), style="dim")
    table.add_row("IoU", *_cells(record.iou))
    return Group(
        table,
        *(Text(line, "dim") for line in _explanation(record)),
        *(Text(warning, "yellow") for warning in warnings),
    )


def _cells(scores: Scores) -> list[str]:
    means = [scores.per_volume, scores.per_image] if scores.per_volume else [scores.per_image]
    cells: list[str] = []
    for estimate in means:
        low_high = estimate.ci95
        cells += [f"{estimate.mean:.4f}"]
        cells += [f"{low_high[0]:.3f} to {low_high[1]:.3f}" if low_high else ""]
    return [*cells, f"{scores.pooled:.4f}"]


def _explanation(record: EvaluationRecord) -> list[str]:
    """The table in words."""
    volumes = record.dice.per_volume is not None
    what = f"{record.groups:,} volume{'s' * (record.groups != 1)}"
    groups = f" of {what}" if volumes else f" in {record.groups:,} groups"
    lines = [
        f"{record.images:,} images{groups}, {record.data}; pixels counted at "
        f"{record.size}x{record.size}, threshold {record.threshold:g}."
    ]
    if volumes:
        lines.append(f"Per volume: one Dice a volume, over all its slices; mean of {what}.")
    lines += [
        f"Per image: one Dice an image ({record.dice.per_image.empty_rule}); mean of "
        f"{record.images:,} images.",
        "Pooled: one Dice over all pixels of all images.",
        "95 %: bootstrap over groups; it does not cover training again with another seed."
        if record.groups > 1
        else "A single group gives no interval.",
        f"Beneath Dice, that of baselines: {_baselines(record)}.",
    ]
    return lines


def _baselines(record: EvaluationRecord) -> str:
    words = {
        "nothing": "nothing marked",
        "everything": "everything marked",
        "threshold": "a threshold on each volume's grey levels",
    }
    return ", ".join(words.get(name, name) for name in record.baselines)


def leak_note(leak: Leak) -> str:
    """What a split gives away about a part, in words."""
    copied = (
        f" Copying the mask of the nearest training picture of the same group would score a median "
        f"Dice of {leak.neighbour_dice_median:.2f}."
        if leak.neighbour_dice_median is not None
        else ""
    )
    return (
        f"Leak: {leak.shared_groups} of the {leak.groups} groups in the {leak.part} part also "
        f"train, so these scores flatter.{copied}"
    )
