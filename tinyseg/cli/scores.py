"""How scores look, wherever a command shows them."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyseg.runs.records import (
    ClassificationEvaluation,
    Estimate,
    EvaluationRecord,
    Leak,
    Scores,
    SegmentationEvaluation,
)

_MOST_CLASSES = 12  # that have a row of their own


def view(record: EvaluationRecord, warnings: Sequence[str] = ()) -> RenderableType:
    """Scores and baselines, what they mean in words, and what speaks against them."""
    lines = _recognition(record) if isinstance(record, ClassificationEvaluation) else _masks(record)
    return Group(*lines, *(Text(warning, "yellow") for warning in warnings))


def _table(record: EvaluationRecord) -> Table:
    part = "all pictures" if record.split == "all" else f"the {record.split} part"
    table = Table(title=Text(f"{record.subject} on {part}"), box=box.SIMPLE, padding=(0, 1, 0, 0))
    table.title_justify = "left"
    table.add_column("")
    return table


def _recognition(record: ClassificationEvaluation) -> list[RenderableType]:
    table = _table(record)
    table.add_column("share of images", justify="right")
    table.add_column("95 %")
    table.add_row("top-1", *_estimate(record.top1), style="bold")
    for name, share in record.baselines.items():
        table.add_row(f" {name}", f"{share:.4f}", "", style="dim")
    table.add_row("top-5", *_estimate(record.top5))
    table.add_row("macro F1", f"{record.macro_f1:.4f}", "")
    lines = [
        f"{record.images:,} images, {record.data}; seen at {record.size}x{record.size}.",
        "Top-1, top-5: the class is the most probable one, or among the five most probable ones.",
        "Macro F1: of each class 2 right / (its images + images taken for it); mean of all "
        "classes that occur or are taken to.",
        "95 %: bootstrap over images; it does not cover training again with another seed.",
        "Beneath top-1, that of always naming the most common class.",
    ]
    return [table, *(Text(line, "dim") for line in lines)]


def _estimate(estimate: Estimate) -> list[str]:
    low_high = estimate.ci95
    return [
        f"{estimate.mean:.4f}",
        f"{low_high[0]:.3f} to {low_high[1]:.3f}" if low_high else "",
    ]


def _masks(record: SegmentationEvaluation) -> list[RenderableType]:
    table = _table(record)
    if record.dice.per_volume:
        table.add_column("per volume", justify="right")
        table.add_column("95 %")
    table.add_column("per image", justify="right")
    table.add_column("95 %")
    table.add_column("pooled", justify="right")
    table.add_row("Dice", *_cells(record.dice), style="bold")
    for name, scores in record.baselines.items():
        table.add_row(f" {name}", *_cells(scores), style="dim")
    if len(record.per_class) > 1:
        for scores in record.per_class[:_MOST_CLASSES]:
            table.add_row(f"Dice of {scores.name}", *_cells(scores.dice))
    table.add_row("IoU", *_cells(record.iou))
    return [table, *(Text(line, "dim") for line in _explanation(record))]


def _cells(scores: Scores) -> list[str]:
    means = [scores.per_volume, scores.per_image] if scores.per_volume else [scores.per_image]
    cells: list[str] = []
    for estimate in means:
        cells += _estimate(estimate)
    return [*cells, f"{scores.pooled:.4f}"]


def _explanation(record: SegmentationEvaluation) -> list[str]:
    """The table in words."""
    volumes = record.dice.per_volume is not None
    what = f"{record.groups:,} volume{'s' * (record.groups != 1)}"
    groups = f" of {what}" if volumes else f" in {record.groups:,} groups"
    lines = [
        f"{record.images:,} images{groups}, {record.data}; pixels counted at "
        f"{record.size}x{record.size}, threshold {record.threshold:g}."
    ]
    classes = len(record.per_class)
    if classes > 1:
        lines.append(
            f"Dice and IoU: the mean of {classes} classes"
            + f", of which {_MOST_CLASSES} are shown." * (classes > _MOST_CLASSES)
            + "." * (classes <= _MOST_CLASSES)
        )
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


def _baselines(record: SegmentationEvaluation) -> str:
    words = {
        "nothing": "nothing marked",
        "everything": "everything marked"
        + " as the most common class" * (len(record.per_class) > 1),
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
