"""One network in training, as Lightning wants it."""

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from numpy.typing import NDArray
from torch import Tensor, nn

from tinyseg.data.cache import Pictures
from tinyseg.data.preprocessing import Preprocessing
from tinyseg.evaluation import ImageCounts, decide, dice, headline, probabilities, score
from tinyseg.evaluation.dice import count_pixels
from tinyseg.layers.memory_layout import in_fast_layout
from tinyseg.runs.records import Protocol
from tinyseg.training.augmentation import make_augmentation
from tinyseg.training.batches import Batch
from tinyseg.training.losses import LOSSES
from tinyseg.training.optimisation import make_optimiser, make_schedule


class Segmentation(L.LightningModule):
    """Loss, validation and optimiser of a segmentation network.

    Logged every epoch: ``train_loss``, ``validation_loss``, ``dice`` (headline Dice of the
    validation part: over volumes where groups are volumes, else over images) and ``dice_pooled``.

    Args:
        network: maps normalised pictures to logits.
        protocol: how it is trained.
        preprocessing: what normalises pictures.
        validation: pictures whose keys and groups the validation batches follow.
        groups_are_volumes: whether Dice over volumes is the headline.
        threshold: of the decision that Dice is taken of.
    """

    def __init__(
        self,
        network: nn.Module,
        protocol: Protocol,
        preprocessing: Preprocessing,
        validation: Pictures,
        groups_are_volumes: bool,
        threshold: float,
    ) -> None:
        super().__init__()
        self.network = network
        self.protocol = protocol
        self.preprocessing = preprocessing
        self.validation = validation
        self.groups_are_volumes = groups_are_volumes
        self.threshold = threshold
        self.loss = LOSSES[protocol.loss]
        self.augment = make_augmentation(protocol.augment)
        self.counts: list[NDArray[np.int64]] = []

    def on_train_epoch_start(self) -> None:
        """Chances of an epoch depend on seed and epoch alone, so that resuming changes nothing."""
        sequence = np.random.SeedSequence((self.protocol.seed, self.current_epoch))
        torch.manual_seed(int(sequence.generate_state(1)[0]))

    def training_step(self, batch: Batch, number: int) -> Tensor:
        """The loss of a batch, augmented."""
        images, masks = self.augment(*_scaled(batch))
        loss = self.loss(self._logits(images), masks)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(images))
        return loss

    def validation_step(self, batch: Batch, number: int) -> None:
        """Counts pixels as an evaluation does."""
        images, masks = _scaled(batch)
        logits = self._logits(images)
        self.log("validation_loss", self.loss(logits, masks), batch_size=len(images))
        labels = decide(probabilities(logits.cpu().numpy()), self.threshold)
        self.counts.append(count_pixels(labels, batch[1].cpu().numpy()))

    def on_validation_epoch_end(self) -> None:
        """Logs the validation part's Dice."""
        tp, fp, fn = np.concatenate(self.counts, axis=1)
        self.counts.clear()
        table = ImageCounts(self.validation.keys, self.validation.groups, tp, fp, fn)
        scores = score(table, dice, groups_are_volumes=self.groups_are_volumes)
        self.log("dice", headline(scores)[1].mean)
        self.log("dice_pooled", scores.pooled)

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


def _scaled(batch: Batch) -> tuple[Tensor, Tensor]:
    """Pictures (batch, channels, height, width) in [0, 1], masks (batch, 1, height, width)."""
    images, masks = batch
    return images.permute(0, 3, 1, 2).float() / 255, masks.unsqueeze(1).float()
