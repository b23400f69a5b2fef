import itertools
import sys

import pytest
import torch

from benchmarks.contestants import backends, loop_scan, mambapy_scan, require_agreement, rivals
from benchmarks.problems import BOTH, PHASES, SERIES, SHAPES, Shape, draw
from benchmarks.process import circumstances
from benchmarks.scan_tables import tables
from tests.benchmarks.command import document_of, run
from tests.benchmarks.tables import shown
from tinyseg.errors import TinysegError
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.reference import reference_scan

SMALL = Shape(2, 3, 10)


def test_quick_prints_one_document_of_ratios_at_the_first_shape():
    document = document_of("scan", "--quick", "--seconds", 2)
    assert document.keys() == {"schema", "results"}
    assert document["schema"] == 1
    wanted = set(
        itertools.product(backends("cpu"), ("mambapy", "loop"), ("forward", "forward+backward"))
    )
    assert {(r["backend"], r["rival"], r["phase"]) for r in document["results"]} == wanted
    assert len(document["results"]) == len(wanted)
    for result in document["results"]:
        assert result.keys() == {"backend", "rival", "shape", "phase", "ratio"}
        assert result["shape"] == [8, 32, 1024]
        assert result["ratio"] > 0


def test_without_json_the_same_is_a_table():
    done = run("scan", "--quick", "--seconds", 0.1)
    assert done.returncode == 0, done.stderr
    assert "than mambapy" in done.stdout
    assert {line.split()[1] for line in done.stdout.splitlines() if "│" in line} == set(
        backends("cpu")
    )


def test_tables_are_the_same_in_80_and_160_columns():
    scans = ["mambapy", "loop", "native", "chunked", "reference"]
    document = {
        **circumstances("retained", 1),
        "shapes": SHAPES,
        "times": [
            {"scan": scan, "phase": phase, "seconds": 1.234}
            for phase, _, scan in itertools.product(PHASES, SHAPES, scans)
        ],
        "lengths": [
            {
                "scan": scan,
                "batch": 2,
                "channels": 32,
                "seconds": {shape.length: 1.234 for shape in SERIES},
                "exponent": 1.0,
                "exponent_of_last_two": 1.0,
            }
            for scan in scans
        ],
        "threaded": [
            {
                "scan": scan,
                "shape": SHAPES["S1"],
                "phase": BOTH,
                "seconds": {1: 2, 2: 1},
                "ratio": 2,
            }
            for scan in scans
        ],
        "memory": {scan: dict.fromkeys(SHAPES, 8.25) for scan in scans},
    }
    assert shown(tables(document), 80) == shown(tables(document), 160)
    assert "Peak memory" in shown(tables(document), 80)


@pytest.mark.parametrize("scan", [mambapy_scan, loop_scan])
def test_rivals_compute_the_scan(scan):
    inputs = [tensor.detach().double() for tensor in draw(SMALL).inputs]
    expected, _ = reference_scan(Arguments(*inputs))
    torch.testing.assert_close(scan(*inputs), expected)


def test_wrong_gradients_void_the_benchmark():
    def wrong(x, delta, A, B, C, D):
        return loop_scan(x, delta, A, B, C.detach() + 0 * C, D)

    with pytest.raises(TinysegError, match="The gradient of C by 'wrong' differs"):
        require_agreement({**rivals(), "wrong": wrong}, draw(SMALL))


def test_wrong_outputs_void_the_benchmark():
    def wrong(*inputs):
        return loop_scan(*inputs) * torch.nan

    with pytest.raises(TinysegError, match="Y by 'wrong' differs"):
        require_agreement({**rivals(), "wrong": wrong}, draw(SMALL))


def test_the_forward_phase_keeps_nothing_for_a_backward():
    assert not draw(SMALL).forward(loop_scan).requires_grad


def test_without_a_device_asking_for_one_is_refused():
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    done = run("scan", "--quick", "--device", "cuda")
    assert done.returncode == 2
    assert done.stderr == "PyTorch finds no CUDA device here. Leave --device out.\n"


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        (("--threads", 0), "--threads should be at least 1, not 0.\n"),
        (("--seconds", 0), "--seconds should be above 0, not 0.\n"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(option, sentence):
    done = run("scan", "--quick", *option)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", sentence)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the resident memory from /proc")
def test_peak_memory_counts_what_a_scan_holds_at_once():
    from benchmarks.memory import peaks

    # Float32 states of 16 MB and more. The loop keeps at least decays, inflows and states.
    found = peaks("cpu", {"one": Shape(4, 64, 1024)})
    assert found is not None
    assert 4 < found["loop"]["one"] < 12
    assert 4 < found["mambapy"]["one"] < 12
    assert 0 < found["chunked"]["one"] < 2
