"""An artifact in its real runtime, as a predictor like any other."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyseg.children import run_child
from tinyseg.exporters.base import RunsTwice, load_exporter, require_runtime, runtime_of

if TYPE_CHECKING:
    from tinyseg.evaluation import Predictor

_SECONDS_TO_START = 60
_SECONDS_A_PICTURE = 10


def runtime_predictor(
    artifact: Path, format: str, *, threads: int = 1, second: bool = False
) -> "Predictor":
    """Turns batches of network inputs into logits by the artifact's own runtime.

    Every call is a child process of its own, because runtimes print, spin and sometimes abort:
    large batches are cheaper than small ones. With ``second`` it is the format's second runtime.

    Raises:
        MissingExtraError: the runtime is not installed.
        ChildError: (when called) the runtime refused the file, crashed or took too long.
    """
    exporter = load_exporter(format)
    runtime = runtime_of(exporter, artifact)
    require_runtime(runtime, f"Running {artifact.name}")
    name = runtime.name
    if second:
        assert isinstance(exporter, RunsTwice)
        name = exporter.second_runtime

    def predict(images: NDArray[np.float32]) -> NDArray[np.float32]:
        with tempfile.TemporaryDirectory(prefix="tinyseg-") as folder:
            inputs, outputs = Path(folder, "inputs.npy"), Path(folder, "outputs.npy")
            np.save(inputs, images)
            run_child(
                f"{name}, running {artifact.name},",
                "tinyseg.exporters.serving",
                {
                    "format": format,
                    "artifact": str(artifact.resolve()),
                    "threads": threads,
                    "second": second,
                    "inputs": str(inputs),
                    "outputs": str(outputs),
                },
                timeout_s=_SECONDS_TO_START + _SECONDS_A_PICTURE * len(images),
            )
            return np.load(outputs)

    return predict
