"""Pictures of a training: its curves, and what the best weights make of test pictures."""

import csv
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyseg.data.cache import Pictures
from tinyseg.evaluation import Predictor, decide, probabilities
from tinyseg.runs import Run, whole_file
from tinyseg.runs.records import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SAMPLES = 6
#: Columns of the history that are drawn, and what they are called; the headline by its measure.
_SCORES: dict[Task, dict[str, str]] = {
    "segmentation": {"validation_dice": "", "validation_dice_pooled": "pooled"},
    "classification": {"validation_top1": "top-1", "validation_macro_f1": "macro F1"},
}
_LONGEST = 28  # characters of a key that have room


def draw_history(run: Run) -> None:
    """Draws loss and validation scores over epochs, from ``history.csv``, as ``curves.png``."""
    with (run.path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    figure = _figure(8, 3)
    losses, scores = figure.subplots(1, 2)
    epochs = [int(row["epoch"]) for row in rows]
    for name in ("train_loss", "validation_loss"):
        losses.plot(epochs, [float(row[name]) for row in rows], label=name.partition("_")[0])
    best, protocol = run.record.best, run.record.protocol
    assert best is not None
    assert protocol is not None
    losses.set(xlabel="epoch", ylabel=f"loss ({protocol.loss})")
    losses.legend(frameon=False)
    for name, label in _SCORES[run.record.task].items():
        values = [float(row[name]) for row in rows]
        scores.plot(epochs, values, label=label or best.measure.replace("_", " "))
    scores.plot([best.epoch], [best.score], "k.", label=f"best: epoch {best.epoch}")
    what = "Dice" if run.record.task == "segmentation" else "share of images"
    scores.set(xlabel="epoch", ylabel=f"{what} (validation)", ylim=(0, 1))
    scores.legend(frameon=False)
    _save(figure, run, "curves.png")


def draw_samples(run: Run, predictor: Predictor, pictures: Pictures) -> None:
    """Draws test pictures with what they show and what was found, as ``samples.png``.

    Masks as outlines, the drawn one's green, the found one's magenta, of pictures evenly spread
    over those with foreground, or over all; classes by name.
    """
    record, masks = run.record, pictures.task == "segmentation"
    rows = np.flatnonzero(pictures.strata) if masks else np.arange(0)
    rows = rows if len(rows) else np.arange(len(pictures))
    rows = rows[np.linspace(0, len(rows) - 1, min(_SAMPLES, len(rows))).round().astype(int)]
    logits = predictor(record.preprocessing.normalise(pictures.images[rows]))
    found = decide(probabilities(logits), record.threshold)
    figure = _figure(1.8 * len(rows), 2.1)
    for axes, row, labels in zip(
        figure.subplots(1, len(rows), squeeze=False)[0], rows, found, strict=True
    ):
        axes.imshow(_visible(pictures.images[row]))
        axes.set_axis_off()
        if masks:
            _outline(axes, pictures.labels[row], "#00c060")
            _outline(axes, labels, "#ff00ff")
            axes.set_title(pictures.keys[row][-_LONGEST:], fontsize=6)
        else:
            true = record.classes[pictures.labels[row]]
            colour = "#008040" if labels == pictures.labels[row] else "#c000c0"
            axes.set_title(f"{true}\nfound: {record.classes[labels]}", fontsize=6, color=colour)
    _save(figure, run, "samples.png")


def _outline(axes: "Axes", labels: NDArray[np.uint8], colour: str) -> None:
    """Draws the borders of every class."""
    for number in range(1, labels.max(initial=0) + 1):
        inside = labels == number
        if inside.any() and not inside.all():
            axes.contour(inside, [0.5], colors=colour, linewidths=1)


def _visible(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Three channels of whatever there are."""
    return image[..., np.arange(3) % image.shape[-1]]


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=150)
    FigureCanvasAgg(figure)
    return figure


def _save(figure: "Figure", run: Run, name: str) -> None:
    with whole_file(run.pictures / name) as temporary:
        figure.savefig(temporary)
