"""Exported files beside PyTorch, and other ways to such files beside ours."""

import numpy as np
import pytest

from benchmarks.contestants import backends
from benchmarks.export import NETWORK, Contestant, measure, networks
from benchmarks.export_peers import WAYS, made_by
from benchmarks.export_tables import tables
from tests.benchmarks.command import document_of, run
from tests.benchmarks.tables import shown
from tinyseg.errors import TinysegError
from tinyseg.exporters import resolve


def test_every_form_of_a_format_is_timed_beside_pytorch():
    document = document_of("export", "--quick", "--seconds", 1, "--format", "onnx")
    assert (document["size"], document["threads"], document["rival"]) == (
        64, 1, "PyTorch, mambapy, NCHW",
    )  # fmt: skip
    rows = {row["name"]: row for row in document["results"]}
    scans = ["mambapy", *(scan for scan in backends("cpu") if scan != "reference")]
    wanted = [
        f"PyTorch, {scan}, {layout}" for scan in scans for layout in ("NCHW", "channels_last")
    ]
    assert list(rows) == [*wanted, "onnx", "onnx portable"]
    assert rows["PyTorch, mambapy, NCHW"]["ratio"] == 1
    for row in rows.values():
        assert row["seconds"] > 0
        assert row["max_abs"] < 1e-5
    assert rows["onnx"]["nodes"] < rows["onnx portable"]["nodes"]
    assert "onnx portable" in shown(tables(document), 100)


def test_two_threads_are_refused():
    done = run("export", "--quick", "--threads", 2)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--threads should be 1" in done.stderr


def test_another_way_is_converted_and_one_that_fails_is_told(tmp_path):
    ways = {way.name: way for way in WAYS}
    failure = made_by(ways["legacy, operator"], 64, tmp_path, 300)
    assert isinstance(failure, dict)
    assert "trace a dynamo-optimized function" in failure["reason"]
    made = made_by(ways["LinearAttention"], 64, tmp_path, 300)
    assert isinstance(made, Contestant)
    subject = resolve(NETWORK, size=64)
    rival, theirs = measure([*networks(64)[:1], made], subject, tmp_path, 0.1)
    assert theirs["max_abs"] < 1e-5
    assert (rival["rounds"], theirs["rounds"]) == (6, 6)


def test_what_computes_something_else_is_not_timed_unless_it_may(tmp_path):
    subject, (rival, *_) = resolve(NETWORK, size=64), networks(64)
    other = Contestant("another", {**rival.request, "network": "ul-vm-unet-v2"}, {})
    with pytest.raises(TinysegError, match=r"another differs from the rival by .*nothing to time"):
        measure([rival, other], subject, tmp_path, 0.1)
    _, theirs = measure([rival, other], subject, tmp_path, 0.1, may_differ=True)
    assert theirs["max_abs"] > 1e-3
    assert np.isfinite(theirs["ratio"])
