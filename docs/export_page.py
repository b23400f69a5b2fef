"""The parts of ``docs/export.md`` that are made from code and from ``docs/export-matrix.json``."""

from pathlib import Path

from tinyseg import plugins
from tinyseg.exporters.base import Exporter, Inspectable, load_exporter
from tinyseg.exporters.parity import GATES, Gate
from tinyseg.runs.records import MatrixCell, MatrixDocument, Precision

DOCS = Path(__file__).parent
PAGE, MATRIX = DOCS / "export.md", DOCS / "export-matrix.json"
NOT_RUN = "not run"

Row = list[str]


def read_matrix() -> MatrixDocument:
    """What was tried so far."""
    if not MATRIX.is_file():
        return MatrixDocument()
    return MatrixDocument.model_validate_json(MATRIX.read_bytes())


def write_page() -> None:
    """Writes the page anew."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The page as it should be: what a person wrote, with the made parts anew."""
    text = PAGE.read_text(encoding="utf-8")
    exporters = [load_exporter(name) for name in plugins.names("exporters")]
    parts = {
        "formats": formats(exporters),
        "gates": gates(),
        "matrix": matrix(read_matrix(), exporters, plugins.names("networks")),
    }
    for name, made in parts.items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, _, rest = text.partition(start)
        _, found, after = rest.partition(end)
        assert found, f"{PAGE.name} should have {start} and then {end}"
        text = f"{before}{start}\n\n{made}\n\n{end}{after}"
    return text


def formats(exporters: list[Exporter]) -> str:
    """What each format is, from its exporter."""
    head = ["`--format`", "file", "runs in", "install", "precisions", "options", "`--explain`"]
    rows = [
        [
            f"`{exporter.name}`",
            f"`{exporter.suffix}`",
            exporter.runtime,
            f"`tinyseg[{exporter.extra}]`" if exporter.extra else "comes along",
            ", ".join(exporter.precisions),
            ", ".join(f"`--{option}`" for option in exporter.options) or "none",
            "yes" if isinstance(exporter, Inspectable) else "no",
        ]
        for exporter in exporters
    ]
    return _table(head, rows)


def gates() -> str:
    """What each precision has to keep."""
    head = ["`--precision`", "probabilities", "logits: signal over noise", "score may drop by"]
    return _table(head, [_gate(precision, gate) for precision, gate in GATES.items()])


def _gate(precision: Precision, gate: Gate) -> Row:
    most = "any" if gate.max_abs is None else f"differ by {gate.max_abs:g} at most"
    least = "any" if gate.least_snr_db is None else f"{gate.least_snr_db:g} dB at least"
    return [f"`{precision}`", most, least, f"{gate.drop:g}"]


def matrix(document: MatrixDocument, exporters: list[Exporter], networks: list[str]) -> str:
    """A table a format; every cell says what became of it, or that it was not run."""
    found = {(cell.network, cell.format, cell.precision): cell for cell in document.cells}
    reasons: list[str] = []
    parts: list[str] = []
    for exporter in exporters:
        rows = [
            [f"`{name}`", *(
                _cell(found.get((name, exporter.name, precision)), reasons)
                for precision in exporter.precisions
            )]
            for name in networks
        ]  # fmt: skip
        parts += [f"### {exporter.name}", _table(["network", *exporter.precisions], rows)]
    if reasons:
        parts += ["\n".join(f"{n}. {reason}" for n, reason in enumerate(reasons, 1))]
    if document.versions:
        tools = ", ".join(f"{name} {version}" for name, version in document.versions.items())
        parts += [f"Tried with {tools}."]
    return "\n\n".join(parts)


def _cell(cell: MatrixCell | None, reasons: list[str]) -> str:
    if cell is None:
        return NOT_RUN
    measured = [] if cell.max_abs is None else [f"{cell.max_abs:.0e}"]
    measured += [] if cell.snr_db is None else [f"{cell.snr_db:.0f} dB"]
    if cell.passed:
        return ", ".join([f"{cell.nodes:,} nodes", *measured])
    reason = " ".join((cell.reason or "").split()).replace("|", "\\|")
    if reason not in reasons:
        reasons.append(reason)
    return ", ".join([f"**failed** ({reasons.index(reason) + 1})", *measured])


def _table(head: Row, rows: list[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
