"""The forms for exporters equal the reference, and are chosen by context alone."""

import threading
from itertools import combinations
from operator import getitem

import pytest
import torch

from tests.scan.drawing import OPTIONS, draw
from tinyseg.errors import UsageError
from tinyseg.layers.mamba import Mamba
from tinyseg.scan import scan_form, selective_scan
from tinyseg.scan.exporting import current_form
from tinyseg.scan.reference import reference_scan
from tinyseg.scan.sequence import scan_in_form

SETS = [chosen for size in range(5) for chosen in combinations(OPTIONS, size)]
SCAN = torch.ops.higher_order.scan
every_form = pytest.mark.parametrize("form", ["operator", "hop2", "g8", "lean"])


@every_form
@pytest.mark.parametrize("length", [1, 4, 17, 64, 120])
def test_any_length(form, length):
    assert_equal_to_reference(form, draw(2, length, 5, 16, dtype=torch.float64))


@every_form
@pytest.mark.parametrize("discretisation", ["zoh", "euler"])
def test_every_combination_of_options(form, discretisation):
    for options in SETS:
        arguments = draw(options=options, discretisation=discretisation, dtype=torch.float64)
        assert_equal_to_reference(form, arguments)


def assert_equal_to_reference(form, arguments):
    with torch.no_grad(), scan_form(form):
        found = scan_in_form(arguments, "auto")
    for part, expected in zip(found, reference_scan(arguments), strict=True):
        torch.testing.assert_close(part, expected)


@every_form
def test_autocast_changes_nothing(form):
    arguments = draw(2, 64, 40, 16)
    with torch.no_grad(), scan_form(form):
        expected = scan_in_form(arguments, "auto")
        with torch.autocast("cpu", torch.bfloat16):
            found = scan_in_form(arguments, "auto")
    assert all(map(torch.equal, found, expected))


@every_form
def test_selective_scan_takes_the_form_too(form):
    x, delta, A, B, C, *_ = draw(options=(), dtype=torch.float64)
    tensors = [t.transpose(1, 2) for t in (x, delta)], [t.transpose(1, 2) for t in (B, C)]
    expected = selective_scan(*tensors[0], A, *tensors[1], return_last_state=True)
    with scan_form(form):
        found = selective_scan(*tensors[0], A, *tensors[1], return_last_state=True)
    for part, other in zip(found, expected, strict=True):
        torch.testing.assert_close(part, other)


@every_form
def test_constant_coefficients_are_refused(form):
    arguments = draw()
    arguments = arguments._replace(B=torch.randn(5, 4))
    with scan_form(form), pytest.raises(UsageError, match=r"B and C (should|that) vary in time"):
        scan_in_form(arguments, "auto")


def test_the_form_ends_with_its_block_also_by_an_error():
    with scan_form("hop2"):
        with pytest.raises(KeyError), scan_form("g8"):
            raise KeyError
        assert current_form() == "hop2"
    assert current_form() == "eager"


def test_the_form_is_that_of_a_thread():
    seen = []
    with scan_form("g8"):
        other = threading.Thread(target=lambda: seen.append(current_form()))
        other.start()
        other.join()
    assert seen == ["eager"]


def test_hop2_is_exported_once_for_every_length_and_batch():
    layer, dynamic = Mamba(8), torch.export.Dim.DYNAMIC
    with torch.no_grad(), scan_form("hop2"):
        program = torch.export.export(
            layer, (torch.randn(2, 20, 8),), dynamic_shapes=({0: dynamic, 1: dynamic},)
        )
    assert [node.target for node in program.graph.nodes].count(SCAN) == 1
    for shape in ((2, 20, 8), (3, 33, 8), (2, 500, 8)):
        tokens = torch.randn(*shape)
        with torch.no_grad():
            torch.testing.assert_close(program.module()(tokens), layer(tokens))


def test_g8_is_made_of_ordinary_operators():
    layer, tokens = Mamba(8), torch.randn(2, 24, 8)
    with torch.no_grad(), scan_form("g8"):
        program = torch.export.export(layer, (tokens,))
    calls = [node.target for node in program.graph.nodes if node.op == "call_function"]
    assert {target.namespace for target in calls if target is not getitem} == {"aten"}
    with torch.no_grad():
        torch.testing.assert_close(program.module()(tokens), layer(tokens))
