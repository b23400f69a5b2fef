"""Every network through every format and precision, or the part of it that CI has the time for.

``TINYSEG_MATRIX=all`` tries the whole; so does ``python docs/export_matrix.py``, which keeps it.
"""

import os
from importlib.util import find_spec

import pytest
import torch

from tinyseg import plugins
from tinyseg.exporters import Traced
from tinyseg.exporters.base import load_exporter
from tinyseg.runs.records import ExportOptions
from tinyseg.scan import scan_form
from tinyseg.testing.matrix import SMALL, cells, small_subject

WHOLE = os.environ.get("TINYSEG_MATRIX") == "all"
#: One of each kind in float32: scans and norms, a U of convolutions, attention, whole pictures.
IN_FLOAT = ("umamba-enc", "segformer-b0", "vim")
IN_EVERY_PRECISION = ("unet",)

NETWORKS = plugins.names("networks") if WHOLE else [*IN_FLOAT, *IN_EVERY_PRECISION]


def exporter_of(format_: str):
    exporter = load_exporter(format_)
    needed = (*exporter.converts_with, *exporter.runs_with)
    missing = [package for package in needed if find_spec(package) is None]
    if missing:
        pytest.skip(f"{format_} needs {', '.join(missing)}")
    return exporter


@pytest.mark.slow
@pytest.mark.parametrize("format_", plugins.names("exporters"))
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_goes_through(name, format_):
    own = exporter_of(format_).precisions
    precisions = own if WHOLE or name in IN_EVERY_PRECISION else own[:1]
    found = cells(name, format_, precisions)
    assert [cell.precision for cell in found] == list(precisions)
    assert [f"{cell.precision}: {cell.reason}" for cell in found if not cell.passed] == []
    for cell in found:
        assert cell.nodes
        assert cell.max_abs is not None


@pytest.mark.parametrize("format_", plugins.names("exporters"))
@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_is_foreseen_of_what_goes_through(name, format_):
    exporter = exporter_of(format_)
    if not isinstance(exporter, Traced):
        pytest.skip(f"{format_} does not tell which operators it knows")
    subject, options = small_subject(name), ExportOptions()
    with scan_form(exporter.scan_form(options)), torch.no_grad():
        example = (torch.zeros(subject.input_shape),)
        program = torch.export.export(subject.network(), example, strict=False)
        found = [
            (str(node.target), why) for node, why in exporter.unknown_operators(program, options)
        ]
    assert found == []


def test_small_networks_are_registered_ones():
    assert set(SMALL) <= set(plugins.names("networks"))
