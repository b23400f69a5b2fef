from copy import deepcopy

import pytest
import torch
from torch.profiler import record_function

from benchmarks.contestants import backends
from benchmarks.process import circumstances
from benchmarks.profiling import KINDS, REST, SCAN, kind_of_name, where_time_goes
from benchmarks.published_network import as_published
from benchmarks.scan_choice import scan_backend
from benchmarks.training_tables import tables
from tests.benchmarks.command import document_of
from tests.benchmarks.tables import shown
from tinyseg import native
from tinyseg.networks import build
from tinyseg.scan.chunked import Chunked


def test_training_prints_one_document_for_both_layouts_of_every_backend():
    small = ("--size", 64, "--batch", 1, "--seconds", 0.5)
    document = document_of("training", *small)
    assert document["schema"] == 1
    assert (document["batch"], document["size"], document["threads"]) == (1, 64, 1)
    assert document["allocator"]["name"] == "default"
    scans = ["mambapy", *backends("cpu")]
    wanted = [(scan, layout) for scan in scans for layout in ("NCHW", "channels_last")]
    assert [(r["backend"], r["layout"]) for r in document["results"]] == wanted
    first, *others = document["results"]
    assert first["ratio"] == 1
    for other in others:
        assert other["ratio"] == pytest.approx(first["seconds"] / other["seconds"])
    assert [part["backend"] for part in document["parts"]] == scans
    for part in document["parts"]:
        assert tuple(part["seconds"]) == KINDS
        for kind in ("scan", "optimiser", "convolutions", "group norm", "pooling"):
            assert part["seconds"][kind] > 0, (part["backend"], kind)


def test_the_published_form_computes_what_the_network_does():
    torch.manual_seed(0)
    network = build("ul-vm-unet")
    published = as_published(deepcopy(network)).double()
    network.double()
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(published(x), network(x))
    network(x).square().sum().backward()
    published(x).square().sum().backward()
    ours = dict(network.named_parameters())
    for name, parameter in published.named_parameters():
        torch.testing.assert_close(parameter.grad, ours[name].grad, msg=name)


def test_scans_inside_the_block_take_the_backend(monkeypatch):
    used = []
    scan = Chunked.scan
    monkeypatch.setattr(Chunked, "scan", lambda self, a: used.append(1) or scan(self, a))
    network = build("ul-vm-unet")
    with torch.no_grad():
        with scan_backend("reference"):
            network(torch.zeros(1, 3, 32, 32))
        assert not used
        with scan_backend("chunked"):
            network(torch.zeros(1, 3, 32, 32))
        assert used


def test_a_backend_other_than_native_is_seen_without_native_kernels():
    before = native.unavailable()
    with scan_backend("chunked"):
        assert native.unavailable()
        assert native.library() is None
    assert native.unavailable() == before


def test_a_backward_is_of_its_forwards_kind():
    x = torch.rand(2**18, requires_grad=True)

    def step():
        y = x
        with record_function(SCAN):
            for _ in range(40):  # so that the sum, which is of no kind, hardly counts
                y = y * x
        y.sum().backward()  # of which nothing but the link to the forward says what it is of

    seconds = where_time_goes(step, 3)
    assert seconds["scan"] > 0.8 * sum(seconds.values())


def test_tables_are_the_same_in_80_and_160_columns():
    scans = ["mambapy", "native", "chunked", "reference"]
    document = {
        **circumstances("default", 1),
        "network": "ul-vm-unet",
        "batch": 8,
        "size": 256,
        "results": [
            {"backend": scan, "layout": "channels_last", "seconds": 1.23, "ratio": 0.456}
            for scan in scans
        ],
        "parts": [{"backend": scan, "seconds": dict.fromkeys(KINDS, 0.2)} for scan in scans],
    }
    assert shown(tables(document), 80) == shown(tables(document), 160)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("aten::conv1d", "short convolution"),
        ("aten::conv2d", "convolutions"),
        ("aten::native_group_norm", "group norm"),
        ("aten::max_pool2d", "pooling"),
        ("Optimizer.step#AdamW.step", "optimiser"),
        ("aten::mul", None),
    ],
)
def test_kinds_go_by_name(name, kind):
    assert kind_of_name(name) == kind
    assert REST in KINDS
