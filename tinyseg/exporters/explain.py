"""`explain`: where in a network an artifact first gives something else."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyseg.children import run_child
from tinyseg.errors import ChildError
from tinyseg.exporters.base import Exporter, Inspectable
from tinyseg.exporters.parity import LOGIT_TOLERANCE
from tinyseg.exporters.proof import Proof
from tinyseg.exporters.runtime import runtime_predictor
from tinyseg.exporters.stages import StageOutput, stage_outputs
from tinyseg.runs.records import Explanation, StageSeen

if TYPE_CHECKING:
    from torch import nn

OUTPUT = "(output)"
_LONGEST_S = 600


def explain(proof: Proof, network: "nn.Module", artifact: Path, exporter: Exporter) -> Explanation:
    """Walks the network's stages and names the first whose output differs in an artifact.

    Both run the picture on which they differ most. The artifact's intermediate values are compared
    with what each stage gives in PyTorch; a stage's value is the one in the file that is nearest
    to it. Converters join operators, so that a stage's own value may not be in the file: of such
    stages nothing is known, unless none after them agrees.

    Args:
        proof: the network's answers.
        network: in PyTorch.
        artifact: the file.
        exporter: of its format.

    Returns:
        What was seen; without stages where the format or its runtime shows none.
    """
    if not isinstance(exporter, Inspectable):
        return Explanation(note=f"{exporter.name} does not show what happens inside its files.")
    try:
        row = _worst(proof, artifact, exporter)
        inputs = proof.inputs[row : row + 1]
        output = StageOutput(OUTPUT, type(network).__name__, proof.logits[row : row + 1])
        outputs = [*stage_outputs(network, inputs), output]
        return _verdict(_seen(outputs, inputs, artifact, exporter), exporter.caveat)
    except ChildError as error:
        return Explanation(note=f"Its stages cannot be walked: {error.message}")


def _worst(proof: Proof, artifact: Path, exporter: Exporter) -> int:
    found = runtime_predictor(artifact, exporter.name)(proof.inputs)
    if found.shape != proof.logits.shape:
        return 0
    difference = np.nan_to_num(np.abs(found - proof.logits), nan=np.inf)
    return int(difference.reshape(len(found), -1).max(axis=1).argmax())


def _seen(
    outputs: list[StageOutput], inputs: NDArray[np.float32], artifact: Path, exporter: Exporter
) -> list[StageSeen]:
    with tempfile.TemporaryDirectory(prefix="tinyseg-") as folder:
        np.save(Path(folder, "inputs.npy"), inputs)
        for number, output in enumerate(outputs):
            np.save(Path(folder, f"{number}.npy"), output.values)
        answer = run_child(
            f"{exporter.runtime}, running {artifact.name} step by step,",
            "tinyseg.exporters.explaining",
            {
                "format": exporter.name,
                "artifact": str(artifact.resolve()),
                "folder": folder,
                "stages": len(outputs),
            },
            timeout_s=_LONGEST_S,
        )
    return [_stage(output, found) for output, found in zip(outputs, answer["nearest"], strict=True)]


def _stage(output: StageOutput, found: dict[str, Any]) -> StageSeen:
    difference = found["difference"]
    return StageSeen(
        name=output.name,
        module=output.module,
        value=found["value"],
        difference=difference,
        agrees=difference is not None and difference <= LOGIT_TOLERANCE,
    )


def _verdict(stages: list[StageSeen], caveat: str) -> Explanation:
    """The first stage that differs is the one after the last that agrees."""
    last = max((row for row, stage in enumerate(stages) if stage.agrees), default=-1)
    first = stages[last + 1] if last + 1 < len(stages) else None
    if first is None:
        note = "Step by step, the file gives what the network gives."
    elif first.name == OUTPUT:
        note = "The output differs, and nothing before it: look at what follows the last stage."
    else:
        note = f"The first stage whose output differs is {first.name} ({first.module})."
    return Explanation(
        stages=stages, first=first.name if first else None, note=f"{note} {caveat}".strip()
    )
