"""Draws the picture of docs/state-space.md: what HiPPO-LegS answers to an impulse and remembers.

python docs/state_space.py
"""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tinyseg.scan.s4 import discretise, hippo_legs, kernel, reconstruct, recurrence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE = Path(__file__).parent / "pictures" / "state-space.png"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # Okabe and Ito
DELTA, STEPS = 0.004, 1000


def draw() -> Figure:
    """Both halves of the picture."""
    figure = Figure(figsize=(9, 3.9), layout="constrained", dpi=130)
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    draw_kernels(left)
    draw_memory(right)
    for axes in (left, right):
        axes.grid(alpha=0.3, linewidth=0.5)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_kernels(axes: "Axes") -> None:
    """The first four states after an impulse, each divided by the step."""
    A, B = hippo_legs(4)
    lags = DELTA * torch.arange(STEPS)
    K = kernel(*discretise(A, B, DELTA), torch.eye(4, dtype=A.dtype), STEPS) / DELTA
    for n, (values, colour) in enumerate(zip(K, COLOURS, strict=True)):
        axes.plot(lags, values, color=colour, label=f"state {n}")
    axes.set_title("What each state sees of the past", fontsize=11)
    axes.set_xlabel("how long ago")
    axes.set_ylabel("weight")
    axes.legend(frameon=False)


def draw_memory(axes: "Axes") -> None:
    """A signal, and what 4 and 16 states at its end still know of it."""
    time = DELTA * torch.arange(STEPS, dtype=torch.float64)
    lags = time[-1] - time
    x = torch.sin(5 * time) * torch.exp(-((time - 3) ** 2) / 2)
    axes.plot(time, x, color="0.7", linewidth=4, label="signal")
    for states, colour in ((4, COLOURS[1]), (16, COLOURS[0])):
        A, B = hippo_legs(states)
        nothing = torch.zeros(states, dtype=torch.float64)
        _, last = recurrence(*discretise(A, B, DELTA), nothing, x)
        axes.plot(time, reconstruct(last, lags), color=colour, label=f"from {states} states")
    axes.set_title("What the last state remembers", fontsize=11)
    axes.set_xlabel("time")
    axes.set_ylabel("value")
    axes.legend(frameon=False, loc="lower left")


if __name__ == "__main__":
    draw().savefig(PICTURE)
    print(PICTURE)
