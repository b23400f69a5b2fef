"""What would stop an export: told before it, with the place, and by the export itself too."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.command import tinyseg
from tinyseg.errors import PreflightError
from tinyseg.exporters import export_all, preflight, require_preflight, resolve, resolve_own
from tinyseg.exporters.convert import ConversionError
from tinyseg.exporters.places import Place, chain, place_of_error, place_of_node, source
from tinyseg.exporters.unrolled import MOST_OPERATORS, count_operators
from tinyseg.runs.records import ExportDocument, PreflightDocument

AWKWARD = Path(__file__).parents[1] / "own_networks" / "awkward.py"
BOTH = ("onnx", "tflite")


def line_of(text: str) -> str:
    """``awkward.py:N`` of the line that holds a text."""
    (number,) = (n for n, line in enumerate(AWKWARD.read_text().splitlines(), 1) if text in line)
    return f"awkward.py:{number}"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with the user's module; it is forgotten afterwards."""
    shutil.copy(AWKWARD, tmp_path)
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    sys.modules.pop("awkward", None)


def test_a_loop_is_told_with_its_line_and_what_it_would_become(folder):
    done = tinyseg("export", "--from", "awkward:looping", "--size", "64", "--preflight", "--json")
    assert done.returncode == 3, done.stderr
    document = PreflightDocument.model_validate_json(done.stdout)
    assert json.loads(done.stdout)["schema"] == 1
    assert [each.format for each in document.formats] == list(BOTH)
    for each in document.formats:
        (problem,) = each.problems
        assert (problem.kind, problem.module) == ("unrolled", "stages.1")
        assert problem.source == line_of("self.decay * state")
        assert each.operators is not None
        # Three operators a step: a slice, a product, a sum.
        assert 3 * 64 * 64 <= each.operators < 3 * 64 * 64 + 50
        assert f"about {each.operators:,} operators" in problem.reason
    assert "awkward-looping would not be exported to onnx and tflite" in done.stderr
    assert [path.name for path in folder.iterdir() if path.suffix != ".py"] in ([], ["__pycache__"])


def test_the_export_refuses_the_same_loop_before_the_converter_starts(folder):
    done = tinyseg(
        "export", "--from", "awkward:looping", "--size", "64", "--format", "onnx", "--json"
    )
    assert done.returncode == 1
    (failure,) = ExportDocument.model_validate_json(done.stdout).failures
    assert (failure.stage, failure.operator, failure.module) == ("convert", None, "stages.1")
    assert failure.source == line_of("self.decay * state")
    assert "would be written out as about 12," in failure.reason
    assert not list(folder.glob("*.onnx*"))


def test_a_short_loop_is_none_to_be_afraid_of(folder):
    network = resolve_own("awkward:looping", size=16).network()
    counted = count_operators(network, torch.zeros(1, 3, 16, 16))
    assert counted is not None
    assert 3 * 256 <= counted.operators < MOST_OPERATORS
    assert (counted.calls, counted.busiest.module) == (3 * 256, "stages.1")
    assert not counted.unrolled


def test_an_operator_without_translation_is_told_by_preflight_and_by_the_export(folder):
    subject = resolve_own("awkward:median", size=16)
    document = preflight(subject, BOTH)
    outcome = export_all(subject, BOTH, out=folder / "out")
    assert not outcome.artifacts
    assert list((folder / "out").iterdir()) == []
    for each, failure in zip(document.formats, outcome.failures, strict=True):
        (problem,) = each.problems
        assert (each.passed, problem.kind, problem.calls) == (False, "operator", 1)
        assert (problem.operator, problem.module) == ("aten.median.dim", "stages.1")
        assert problem.source == line_of("tokens.median(")
        assert (failure.operator, failure.module, failure.source) == problem_place(problem)
        assert "failed at aten.median.dim in stages.1 (awkward.py:" in failure.reason
    assert all(isinstance(error, ConversionError) for error in outcome.errors)
    with pytest.raises(PreflightError, match="would not be exported to onnx and tflite"):
        require_preflight(document)


def problem_place(problem) -> tuple:
    return problem.operator, problem.module, problem.source


def test_a_decision_by_values_is_told_with_its_line(folder):
    subject = resolve_own("awkward:deciding", size=16)
    (each,) = preflight(subject, ["onnx"]).formats
    (problem,) = each.problems
    assert (problem.kind, problem.operator, problem.module) == ("traced", None, "stages.1")
    assert problem.source == line_of("tokens.mean() > 0")
    assert "torch.where" in problem.reason
    outcome = export_all(subject, ["onnx"], out=folder / "out")
    (failure,) = outcome.failures
    assert (failure.operator, failure.module) == (None, "stages.1")
    assert failure.source == problem.source


def test_one_that_goes_through_is_told_so(folder):
    done = tinyseg("export", "--from", "awkward:good", "--size", "16", "--preflight")
    assert done.returncode == 0, done.stderr
    for format_ in BOTH:
        assert f"{format_}: nothing stands in the way (" in done.stdout
    assert not list(folder.glob("awkward-good*"))


def test_the_table_names_place_and_reason(folder):
    done = tinyseg(
        "export", "--from", "awkward:median", "--size", "16", "--preflight", "--format", "tflite"
    )
    assert done.returncode == 3
    said = " ".join(done.stdout.split())
    assert "tflite: would fail" in said
    assert f"aten.median.dim stages.1 {line_of('tokens.median(')}: litert-torch has no" in said


def test_an_exporter_that_does_not_tell_is_asked_whether_it_takes_the_network(third_party):
    document = preflight(resolve("one-layer", size=16), ["npz-file"])
    assert document.passed
    document = preflight(resolve("unet", size=16), ["npz-file"])
    ((problem,),) = (each.problems for each in document.formats)
    assert (problem.kind, problem.reason) == (
        "unsupported", "only a single 1x1 convolution can be written.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("unet", "--preflight", "--out", "here"), "--preflight looks at a network alone"),
        (("unet", "--preflight", "--explain"), "--preflight looks at a network alone"),
        (("--preflight", "--check", "unet.onnx"), "--preflight looks at a network alone"),
        (("unet", "--preflight", "--format", "onxn"), "No exporter is called 'onxn'"),
    ],
)
def test_options_that_cannot_be_meant(tmp_path, arguments, sentence):
    done = tinyseg("export", *arguments, cwd=tmp_path)
    assert sentence in " ".join(done.stderr.split())
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (2, "", [])


class Watched(nn.Module):
    """Runs a scan operator of PyTorch's, and can compile a part of itself."""

    def forward(self, x):
        from torch._higher_order_ops.scan import scan

        _, sums = scan(lambda a, b: (a + b, (a + b).clone()), x[0] * 0, x, dim=0)
        return sums


@pytest.fixture
def fresh_compilations():
    """What was compiled while operators were watched would not do for other tests."""
    yield
    torch._dynamo.reset()


def test_counting_lets_control_flow_through_and_takes_what_it_cannot_watch(fresh_compilations):
    counted = count_operators(Watched(), torch.ones(5, 3))
    assert counted is not None
    assert counted.busiest.source == source(__file__, counted.busiest.source.rpartition(":")[2])

    class Falling(nn.Module):
        def forward(self, x):
            raise NotImplementedError

    assert count_operators(Falling(), torch.ones(1)) is None


def test_a_place_is_found_in_the_frames_of_a_cause():
    class Inner(nn.Module):
        def forward(self, x):
            return helped(x)

    def helped(x):
        raise ValueError("the first cause")

    network = nn.Sequential(nn.Identity(), Inner())
    try:
        try:
            network(torch.ones(1))
        except ValueError as error:
            raise RuntimeError("pages of advice") from error
    except RuntimeError as error:
        place = place_of_error(error, network)
        assert [type(each) for each in chain(error)] == [ValueError, RuntimeError]
    assert place.module == "1"
    assert place.source is not None
    assert place.source.startswith("tests/exporters/test_preflight.py:")
    assert str(place) == f"in 1 ({place.source})"
    assert place_of_error(ValueError("from nowhere"), network) == Place()


def test_a_place_is_found_for_the_nodes_of_a_graph():
    network = nn.Sequential(nn.Identity(), nn.Sequential(nn.Conv2d(3, 1, 1), nn.ReLU()))
    program = torch.export.export(network.eval(), (torch.ones(1, 3, 4, 4),))
    places = [place_of_node(n) for n in program.graph.nodes if n.op == "call_function"]
    assert [(place.operator, place.module) for place in places] == [
        ("aten.conv2d.default", "1.0"), ("aten.relu.default", "1.1"),
    ]  # fmt: skip
