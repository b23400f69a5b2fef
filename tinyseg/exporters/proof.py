"""What an artifact has to measure up to: its network, on pictures, in PyTorch."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyseg.evaluation import Predictor, Table, count_images, network_predictor
from tinyseg.exporters.accuracy import accuracy
from tinyseg.exporters.base import Exporter
from tinyseg.exporters.parity import GATES, compare
from tinyseg.exporters.pictures import evenly, inputs_of, pictures_of
from tinyseg.exporters.runtime import runtime_predictor
from tinyseg.exporters.subject import Subject
from tinyseg.progress import Progress, silent
from tinyseg.runs.records import Accuracy, Parity, Precision

if TYPE_CHECKING:
    from torch import nn

    from tinyseg.data.cache import Pictures

_PARITY_PICTURES = 64
_PICTURES_A_CHILD = 64  # starting a runtime takes as long as some tens of inferences


@dataclass(frozen=True)
class Proof:
    """A network's answers, taken once for all formats.

    Attributes:
        subject: the network's.
        inputs: of the pictures that parity is taken on.
        logits: the network's answers to them.
        pictures: all test pictures, and
        table: the network's figures on them; None when accuracy is not asked for, or the weights
            have no data of their own.
    """

    subject: Subject
    inputs: NDArray[np.float32]
    logits: NDArray[np.float32]
    pictures: "Pictures"
    table: Table | None

    @classmethod
    def of(
        cls, subject: Subject, network: "nn.Module", *, evaluate: bool, progress: Progress
    ) -> "Proof":
        """Runs the network over the pictures."""
        evaluate = evaluate and subject.data is not None
        most = None if evaluate else _PARITY_PICTURES
        pictures = pictures_of(subject, progress, most)
        predict = network_predictor(network)
        rows = evenly(len(pictures.keys), _PARITY_PICTURES)
        inputs = inputs_of(subject, pictures.images[rows])
        logits = np.concatenate([predict(inputs[row : row + 1]) for row in range(len(inputs))])
        table = _judge(subject, predict, pictures, 16, progress) if evaluate else None
        return cls(subject, inputs, logits, pictures, table)

    def examine(
        self, artifact: Path, exporter: Exporter, precision: Precision
    ) -> tuple[Parity, Accuracy | None]:
        """Compares an artifact, run by its own runtime, picture by picture.

        Raises:
            ChildError: the runtime refused it, crashed or took too long.
        """
        predict = runtime_predictor(artifact, exporter.name)
        found = predict(self.inputs)
        parity = compare(self.logits, found, threshold=self.subject.threshold, precision=precision)
        data = self.subject.data
        if self.table is None or data is None:
            return parity, None
        table = _judge(self.subject, predict, self.pictures, _PICTURES_A_CHILD, silent)
        return parity, accuracy(
            self.table,
            table,
            groups_are_volumes=data.groups_are_volumes,
            largest_drop=GATES[precision].drop,
        )


def _judge(
    subject: Subject, predict: Predictor, pictures: "Pictures", at_once: int, progress: Progress
) -> Table:
    return count_images(
        predict,
        pictures,
        subject.preprocessing,
        threshold=subject.threshold,
        batch_size=at_once,
        progress=progress,
    )
