from copy import deepcopy

import pytest
import torch

from benchmarks.contestants import backends
from benchmarks.profiling import KINDS, REST, kind_of_name, where_time_goes
from benchmarks.published_network import as_published
from benchmarks.scan_choice import scan_backend
from tests.benchmarks.command import document_of
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
    weight = torch.randn(8, 8, 3, 3, requires_grad=True)
    x = torch.randn(1, 8, 128, 128)

    def step():
        torch.conv2d(x, weight, padding=1).sum().backward()

    seconds = where_time_goes(step, 3)
    assert seconds["convolutions"] > 0.5 * sum(seconds.values())


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
