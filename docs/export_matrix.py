"""Tries every network in every format and precision, and writes the matrix of ``docs/export.md``.

    python docs/export_matrix.py [--network NAME,...] [--format NAME,...] [--precision NAME,...]
                                 [--again] [--seconds S]

What was tried is kept in ``docs/export-matrix.json`` after every network and is not tried again
unless ``--again`` is given, so that a run can be broken off and gone on with. After ``--seconds``
nothing new is begun. Networks are small, as `tinyseg.testing.matrix` says. Formats whose packages
are missing are left as they are.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from export_page import MATRIX, read_matrix, write_page

from tinyseg import plugins
from tinyseg.errors import MissingExtraError
from tinyseg.exporters.base import load_exporter
from tinyseg.exporters.manifest import tool_versions
from tinyseg.runs.files import write_text
from tinyseg.runs.records import MatrixCell, MatrixDocument, Precision
from tinyseg.testing.matrix import cells

Job = tuple[str, str, list[Precision]]


def main() -> int:
    """Tries what was not tried yet, and writes the page."""
    asked = _parser().parse_args()
    begun = time.monotonic()
    for name, format_, precisions in _jobs(asked):
        if asked.seconds is not None and time.monotonic() - begun > asked.seconds:
            print("Time is up; the rest is not run.", flush=True)
            break
        try:
            found = cells(name, format_, precisions)
        except MissingExtraError as error:
            print(f"{name} {format_}: {error}", flush=True)
            continue
        _keep(found)
        for cell in found:
            said = "passed" if cell.passed else f"failed: {cell.reason}"
            print(f"{name} {format_} {cell.precision}: {said}", flush=True)
    write_page()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("network", "format", "precision"):
        parser.add_argument(f"--{name}", type=lambda text: text.split(","))
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--seconds", type=float)
    return parser


def _jobs(asked: argparse.Namespace) -> Iterator[Job]:
    """Float32 of all networks first, then the other precisions."""
    done = {} if asked.again else {_key(cell) for cell in read_matrix().cells}
    formats = asked.format or plugins.names("exporters")
    for first in (True, False):
        for name in asked.network or plugins.names("networks"):
            for format_ in formats:
                own = load_exporter(format_).precisions
                precisions = [
                    each
                    for each in own
                    if (each == own[0]) == first
                    and each in (asked.precision or own)
                    and (name, format_, each) not in done
                ]
                if precisions:
                    yield name, format_, precisions


def _keep(found: list[MatrixCell]) -> None:
    kept = read_matrix()
    cells = {_key(cell): cell for cell in (*kept.cells, *found)}
    # Environments that cannot be one, as ExecuTorch's and LiteRT's, each add their tools.
    versions = {**kept.versions, **tool_versions()}
    whole = MatrixDocument(cells=[cells[key] for key in sorted(cells)], versions=versions)
    write_text(MATRIX, whole.to_json())


def _key(cell: MatrixCell) -> tuple[str, str, str]:
    return cell.network, cell.format, cell.precision


if __name__ == "__main__":
    sys.exit(main())
