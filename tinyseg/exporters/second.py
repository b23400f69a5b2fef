"""The same file in a second runtime, where that is installed."""

from importlib.util import find_spec
from pathlib import Path

from tinyseg.errors import ChildError, ParityError, TinysegError
from tinyseg.exporters.base import Exporter, RunsTwice
from tinyseg.exporters.outcome import StageError
from tinyseg.exporters.parity import compare
from tinyseg.exporters.proof import Proof
from tinyseg.exporters.runtime import runtime_predictor
from tinyseg.runs.records import Parity, Precision


def second_parity(
    proof: Proof, path: Path, exporter: Exporter, precision: Precision
) -> dict[str, Parity]:
    """Compares an artifact as its second runtime runs it, by that runtime's name.

    Nothing where the format has no second runtime, or that is not installed.

    Raises:
        StageError: it does not run the file, or gives something else altogether.
    """
    if not isinstance(exporter, RunsTwice) or find_spec(exporter.second_runs_with) is None:
        return {}
    predict = runtime_predictor(path, exporter.name, second=True)
    try:
        found = predict(proof.inputs)
        parity = compare(
            proof.logits, found, threshold=proof.subject.threshold, precision=precision
        )
    except ChildError as error:
        raise StageError("run", error) from error
    except TinysegError as error:
        raise StageError("parity", ParityError(error.message, error.mend)) from error
    return {exporter.second_runtime: parity}
