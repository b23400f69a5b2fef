"""The page of the matrix says of every cell what became of it, or that it was not run."""

import sys
from pathlib import Path

import pytest

from tinyseg import plugins
from tinyseg.exporters.base import load_exporter
from tinyseg.runs.records import MatrixCell, MatrixDocument

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def export_page(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    import export_page

    yield export_page
    del sys.modules["export_page"]


def cell(network: str, **given) -> MatrixCell:
    known = {
        "format": "onnx", "precision": "fp32", "passed": True, "size": 64, "nodes": 1234,
        "bytes": 5, "seconds": 1.0, "max_abs": 2.3e-7, "snr_db": 124.6, "stage": None,
        "reason": None,
    }  # fmt: skip
    return MatrixCell.model_validate({"network": network, **known, **given})


def test_cells_tell_what_passed_what_failed_and_what_was_not_run(export_page):
    reason = "The conversion | fell\nover."
    document = MatrixDocument(
        cells=[
            cell("a"),
            cell("b", passed=False, nodes=None, max_abs=None, snr_db=None, reason=reason),
            cell("c", passed=False, reason="It differs.", stage="parity"),
            cell("d", passed=False, nodes=None, max_abs=None, snr_db=None, reason=reason),
        ],
        versions={"torch": "2.13.0"},
    )
    text = export_page.matrix(document, [load_exporter("onnx")], ["a", "b", "c", "d", "e"])
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    rest = " | not run" * (len(load_exporter("onnx").precisions) - 1) + " |"
    assert lines == [
        f"| `a` | 1,234 nodes, 2e-07, 125 dB{rest}",
        f"| `b` | **failed** (1){rest}",
        f"| `c` | **failed** (2), 2e-07, 125 dB{rest}",
        f"| `d` | **failed** (1){rest}",
        f"| `e` | not run{rest}",
    ]
    assert "1. The conversion \\| fell over.\n2. It differs." in text
    assert text.endswith("Tried with torch 2.13.0.")


def test_the_page_is_what_the_code_and_the_kept_matrix_say(export_page):
    text = export_page.PAGE.read_text(encoding="utf-8")
    assert text == export_page.page()
    made = text.partition("<!-- matrix -->")[2]
    for name in plugins.names("networks"):
        assert made.count(f"| `{name}` |") == len(plugins.names("exporters"))
    assert "| |" not in made
