"""One network in training, as Lightning wants it."""

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from tinyseg.data.cache import Pictures
from tinyseg.data.preprocessing import Preprocessing
from tinyseg.evaluation import ImageLabels, Tally, dice, make_table, mean, score, tally
from tinyseg.evaluation.recognition import count_classes, macro_f1
from tinyseg.layers.memory_layout import in_fast_layout
from tinyseg.runs.records import Protocol, Task
from tinyseg.training.augmentation import make_augmentation
from tinyseg.training.batches import Batch
from tinyseg.training.losses import make_loss
from tinyseg.training.optimisation import make_optimiser, make_schedule

#: Scores of the validation part that every epoch logs, the headline first.
FIGURES: dict[Task, tuple[str, str]] = {
    "segmentation": ("dice", "dice_pooled"),
    "classification": ("top1", "macro_f1"),
}


class TrainingModule(L.LightningModule):
    """Loss, validation and optimiser of a network.

    Logged every epoch: ``train_loss``, ``validation_loss``, and the `FIGURES` of the task: headline
    Dice (over volumes where groups are volumes, else over images) and pooled Dice, or top-1 and
    macro F1.

    Args:
        network: maps normalised pictures to logits.
        protocol: how it is trained.
        preprocessing: what normalises pictures.
        validation: pictures whose keys and groups the validation batches follow.
        groups_are_volumes: whether Dice over volumes is the headline.
        threshold: of the decision that Dice is taken of.
        classes: how many the logits tell apart.
    """

    def __init__(
        self,
        network: nn.Module,
        protocol: Protocol,
        preprocessing: Preprocessing,
        validation: Pictures,
        groups_are_volumes: bool,
        threshold: float,
        classes: int,
    ) -> None:
        super().__init__()
        self.network = network
        self.protocol = protocol
        self.preprocessing = preprocessing
        self.validation = validation
        self.groups_are_volumes = groups_are_volumes
        self.threshold = threshold
        self.classes = classes
        self.loss = make_loss(protocol, validation.task)
        self.augment = make_augmentation(protocol.augment, validation.task, preprocessing.size)
        self.tallies: list[Tally] = []

    def on_train_epoch_start(self) -> None:
        """Chances of an epoch depend on seed and epoch alone, so that resuming changes nothing."""
        sequence = np.random.SeedSequence((self.protocol.seed, self.current_epoch))
        torch.manual_seed(int(sequence.generate_state(1)[0]))

    def training_step(self, batch: Batch, number: int) -> Tensor:
        """The loss of a batch, augmented."""
        images, labels = self.augment(*_prepared(batch))
        loss = self.loss(self._logits(images), labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(images))
        return loss

    def validation_step(self, batch: Batch, number: int) -> None:
        """Judges pictures as an evaluation does."""
        images, labels = _prepared(batch)
        logits = self._logits(images)
        self.log("validation_loss", self.loss(logits, labels), batch_size=len(images))
        self.tallies.append(tally(logits.cpu().numpy(), batch[1].cpu().numpy(), self.threshold))

    def on_validation_epoch_end(self) -> None:
        """Logs the validation part's scores."""
        table = make_table(self.validation, self.tallies)
        self.tallies.clear()
        volumes = self.groups_are_volumes
        if isinstance(table, ImageLabels):
            second = macro_f1(count_classes(table, self.classes))
        else:
            second = score(table, dice, groups_are_volumes=volumes).pooled
        first = mean(table, groups_are_volumes=volumes)[1].mean
        self.log_dict(dict(zip(FIGURES[self.validation.task], (first, second), strict=True)))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Optimiser, and a schedule that takes a step a batch."""
        optimiser = make_optimiser(self.network.parameters(), self.protocol)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = make_schedule(optimiser, self.protocol, steps)
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _logits(self, images: Tensor) -> Tensor:
        return self.network(in_fast_layout(self.preprocessing.standardise(images))).float()


def _prepared(batch: Batch) -> tuple[Tensor, Tensor]:
    """Pictures (batch, channels, height, width) in [0, 1], and labels as losses want them."""
    images, labels = batch
    scaled = images.permute(0, 3, 1, 2).float() / 255
    return scaled, labels.long() if labels.ndim == 1 else labels.unsqueeze(1).float()
