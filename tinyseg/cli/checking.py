"""`tinyseg export --check`: a file that came from anywhere beside its run."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyseg.cli import console
from tinyseg.errors import UsageError
from tinyseg.runs.records import Accuracy, Explanation, Precision, ProofDocument

if TYPE_CHECKING:
    from tinyseg.exporters import Subject


def check_file(
    file: Path,
    subject: "Subject | None",
    *,
    formats: list[str],
    precisions: "list[Precision]",
    runs: Path,
    evaluate: bool,
    explain: bool,
) -> None:
    """Prints what the file does; a failure ends the command with exit code 3.

    Raises:
        UsageError: more than one format was named, or the subject is a file too.
        ParityError: it does not do what its run does.
    """
    from tinyseg.exporters import check, require_proof

    if len(formats) > 1:
        raise UsageError(f"{file} has one format, not {' and '.join(formats)}.")
    if len(precisions) > 1:
        raise UsageError(f"{file} has one precision, not {' and '.join(precisions)}.")
    if subject and subject.artifact:
        raise UsageError(f"--run {subject.artifact} is an exported file.", "Name its run.")
    with console.progress() as progress:
        document = check(
            file,
            subject,
            format=formats[0] if formats else None,
            precision=precisions[0] if precisions else None,
            runs=runs,
            evaluate=evaluate,
            explain=explain,
            progress=progress,
        )
    console.emit(document, _view(document))
    require_proof(document)


def _view(document: ProofDocument) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    for name, value in _lines(document):
        grid.add_row(name, value)
    shown = [explained(document.explanation)] if document.explanation else []
    return Group(f"{Path(document.path).name} beside {document.run}", grid, *shown)


def _lines(document: ProofDocument) -> list[tuple[str, str]]:
    lines = [("run by", document.runtime), ("passed", "yes" if document.passed else "no")]
    if document.parity:
        parity = document.parity
        lines += [
            ("pictures", str(parity.images)),
            ("max diff", f"{parity.max_abs:.1e} of a probability"),
            ("logits", f"{parity.logits:.1e} of their range"),
            ("flips", f"{parity.flips:.3%}"),
            ("SNR", "" if parity.snr_db is None else f"{parity.snr_db:.0f} dB"),
        ]
    if document.accuracy:
        of_file, of_run = document.accuracy.scores
        lines += [
            (measure(document.accuracy), f"{of_file:.4f}, the run's {of_run:.4f}"),
            ("", difference(document.accuracy)),
        ]
    return lines


def measure(accuracy: Accuracy) -> str:
    """What was scored."""
    return "top-1" if accuracy.measure == "top1" else "Dice"


def difference(accuracy: Accuracy) -> str:
    """What an artifact gains or loses on its run's score, with the interval."""
    said = f"{measure(accuracy)} differs from the run's by {accuracy.difference:+.4f}"
    if accuracy.ci95 is None:
        return said
    low, high = accuracy.ci95
    return f"{said}, 95 % interval {low:+.4f} to {high:+.4f}"


def explained(explanation: Explanation) -> RenderableType:
    """The stages, if any were seen, and what they come down to."""
    table = Table(box=box.SIMPLE, padding=0)
    table.add_column("stage")
    table.add_column("of range", justify="right")
    table.add_column("nearest in the file", overflow="fold")
    for stage in explanation.stages:
        differs = "" if stage.difference is None else f"{stage.difference:.1e}"
        style = "" if stage.agrees else "red"
        table.add_row(Text(f"{stage.name} ({stage.module})", style), differs, stage.value or "")
    return Group(*[table] * bool(explanation.stages), Text(explanation.note))
