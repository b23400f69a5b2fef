"""Pictures of a training: its curves, and what the best weights make of test pictures."""

import csv
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyseg.data.cache import Pictures
from tinyseg.evaluation import Predictor, decide, probabilities
from tinyseg.runs import Run, whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SAMPLES = 6
_LONGEST = 28  # characters of a key that have room


def draw_history(run: Run) -> None:
    """Draws loss and validation Dice over epochs, from ``history.csv``, as ``curves.png``."""
    with (run.path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    figure = _figure(8, 3)
    losses, dice = figure.subplots(1, 2)
    epochs = [int(row["epoch"]) for row in rows]
    for name in ("train_loss", "validation_loss"):
        losses.plot(epochs, [float(row[name]) for row in rows], label=name.partition("_")[0])
    best, protocol = run.record.best, run.record.protocol
    assert best is not None
    assert protocol is not None
    losses.set(xlabel="epoch", ylabel=f"loss ({protocol.loss})")
    losses.legend(frameon=False)
    for name, label in (
        ("validation_dice", best.measure.replace("_", " ")),
        ("validation_dice_pooled", "pooled"),
    ):
        dice.plot(epochs, [float(row[name]) for row in rows], label=label)
    dice.plot([best.epoch], [best.dice], "k.", label=f"best: epoch {best.epoch}")
    dice.set(xlabel="epoch", ylabel="Dice (validation)", ylim=(0, 1))
    dice.legend(frameon=False)
    _save(figure, run, "curves.png")


def draw_samples(run: Run, predictor: Predictor, pictures: Pictures) -> None:
    """Draws test pictures with the drawn mask's outline (green) and the found one's (magenta).

    As ``samples.png``: pictures evenly spread over those with foreground, or over all.
    """
    record = run.record
    rows = np.flatnonzero(pictures.strata)
    rows = rows if len(rows) else np.arange(len(pictures))
    rows = rows[np.linspace(0, len(rows) - 1, min(_SAMPLES, len(rows))).round().astype(int)]
    logits = predictor(record.preprocessing.normalise(pictures.images[rows]))
    found = decide(probabilities(logits), record.threshold)
    figure = _figure(1.8 * len(rows), 2.1)
    for axes, row, mask in zip(
        figure.subplots(1, len(rows), squeeze=False)[0], rows, found, strict=True
    ):
        axes.imshow(_visible(pictures.images[row]))
        for labels, colour in ((pictures.labels[row], "#00c060"), (mask, "#ff00ff")):
            if labels.any() and not labels.all():
                axes.contour(labels, [0.5], colors=colour, linewidths=1)
        axes.set_title(pictures.keys[row][-_LONGEST:], fontsize=6)
        axes.set_axis_off()
    _save(figure, run, "samples.png")


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
