"""What a training leaves in its run folder, epoch by epoch."""

import csv
import math
import time
from collections.abc import Sequence
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint
from safetensors.torch import save_file
from torch import nn

from tinyseg.errors import TinysegError
from tinyseg.progress import Progress
from tinyseg.runs import Run, whole_file
from tinyseg.runs.records import Best, Measure

_SECONDS_BETWEEN_FIGURES = 0.2  # reading a loss waits for the accelerator


class Recorder(Checkpoint):
    """Writes history, best weights, ``last.ckpt`` and ``run.json`` after every epoch, each whole.

    A kill at any moment leaves the files of the last whole epoch, from which `resume` goes on.
    Lightning calls it after all other callbacks, so that the checkpoint holds their states.

    Args:
        run: the run's folder.
        figures: names of the validation part's scores, the headline first.
        measure: the meaning of the headline.
        steps: of the whole training, for progress.
        progress: told after every batch.
    """

    def __init__(
        self,
        run: Run,
        figures: Sequence[str],
        measure: Measure,
        steps: int,
        progress: Progress,
    ) -> None:
        self.run, self.figures = run, figures
        self.measure: Measure = measure
        self.steps, self.progress = steps, progress
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0
        self._pictures = 0
        self._spoken = ""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training needs of this."""
        return {"history": self.history, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up where a checkpoint was written."""
        self.history, self.seconds = list(state_dict["history"]), state_dict["seconds"]

    @property
    def best(self) -> dict[str, float] | None:
        """The first of the epochs with the highest headline of the validation part."""
        return max(self.history, key=lambda row: row[self._headline], default=None)

    @property
    def _headline(self) -> str:
        return f"validation_{self.figures[0]}"

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Starts the clocks."""
        self._pictures = 0
        self._begun = self._shown = time.monotonic()
        self._trained = 0.0

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Tells the progress."""
        now = time.monotonic()
        self._pictures += len(batch[0])
        self._trained = now - self._begun
        if not self._spoken or now - self._shown > _SECONDS_BETWEEN_FIGURES:
            self._shown = now
            self._spoken = self._speak(trainer, float(outputs["loss"]))
        self.progress("Training", trainer.global_step, self.steps, self._spoken)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes everything; the validation of the epoch is over by now."""
        row = self._row(trainer)
        _require_finite(row)
        self.history.append(row)
        self.seconds += time.monotonic() - self._begun
        if self.best is row:
            network: nn.Module = pl_module.network  # pyright: ignore[reportAssignmentType]
            with whole_file(self.run.best_weights) as temporary:
                weights = network.state_dict().items()
                save_file({name: w.cpu().contiguous() for name, w in weights}, temporary)
        self._write_history()
        with whole_file(self.run.last_checkpoint) as temporary:
            trainer.save_checkpoint(temporary)
        self._write_record()
        self.run.log(", ".join(f"{name} {value:.6g}" for name, value in row.items()))

    def _speak(self, trainer: L.Trainer, loss: float) -> str:
        name = {"dice": "Dice", "top1": "top-1"}[self.figures[0]]
        score = f" {name} {self.history[-1][self._headline]:.3f}" if self.history else ""
        speed = self._pictures / max(self._trained, 1e-9)
        epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        return f"{epoch} loss {loss:.3f}{score} {speed:.0f} images/s"

    def _row(self, trainer: L.Trainer) -> dict[str, float]:
        metrics = trainer.callback_metrics
        return {
            "epoch": trainer.current_epoch + 1,
            "train_loss": float(metrics["train_loss"]),
            "validation_loss": float(metrics["validation_loss"]),
            **{f"validation_{name}": float(metrics[name]) for name in self.figures},
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            "images_per_second": self._pictures / self._trained,
            "seconds": time.monotonic() - self._begun,
        }

    def _write_history(self) -> None:
        path = self.run.path / "history.csv"
        with whole_file(path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(self.history[0]))
            writer.writeheader()
            writer.writerows(self.history)

    def _write_record(self) -> None:
        best = self.best
        assert best is not None
        self.run.update(
            epochs_done=len(self.history),
            seconds=self.seconds,
            best=Best(epoch=int(best["epoch"]), score=best[self._headline], measure=self.measure),
        )


def _require_finite(row: dict[str, float]) -> None:
    for name in ("train_loss", "validation_loss"):
        if not math.isfinite(row[name]):
            raise TinysegError(
                f"The {name.replace('_', ' ')} became {row[name]} in epoch {row['epoch']}.",
                "Train anew with a smaller --lr.",
            )
