import itertools

import pytest
import torch

from benchmarks import layers
from benchmarks.layers import (
    PICTURES,
    POOLED,
    SEQUENCES,
    convolutions,
    group_norms,
    norm_pools,
)
from benchmarks.problems import PHASES
from tests.benchmarks.command import document_of, run
from tinyseg import native

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))


def test_every_shape_is_compared_with_every_rival_in_both_phases():
    document = document_of("layers", "--seconds", 1)
    assert document["threads"] == 1
    layouts = ["channels first", "channels last"]
    norms = itertools.product(["group norm"], PICTURES, layouts)
    pools = itertools.product(["norm and pool"], POOLED, layouts)
    convs = itertools.product(["causal convolution"], SEQUENCES, ["conv1d", "conv2d"])
    wanted = {(*case, phase) for case in (*norms, *pools, *convs) for phase in PHASES}
    keys = [(r["layer"], tuple(r["shape"]), r["rival"], r["phase"]) for r in document["results"]]
    assert len(keys) == len(wanted)
    assert set(keys) == wanted
    assert all(result["ratio"] > 0 and result["seconds"] > 0 for result in document["results"])


@pytest.mark.parametrize(
    "make",
    [
        lambda: group_norms(2, 8, 6, 6),
        lambda: norm_pools(2, 8, 6, 6),
        lambda: convolutions(2, 9, 5),
    ],
)
def test_contestants_compute_the_same(make):
    (ours, inputs), *rivals = make().values()
    for rival, given in rivals:
        torch.testing.assert_close(rival(*given), ours(*inputs), rtol=0, atol=2e-6)


def test_a_ratio_says_how_many_times_faster_ours_is(monkeypatch):
    seconds = iter([2.0, 6.0, 3.0])

    def in_turn(actions, *_):
        return {name: layers.timing.Times([next(seconds)] * 3, [0.0] * 3) for name in actions}

    monkeypatch.setattr(layers.timing, "in_turn", in_turn)
    monkeypatch.setattr(layers, "PHASES", PHASES[:1])
    rows = layers.compare("a layer", (2, 9, 5), convolutions(2, 9, 5), 1.0)
    assert [(row["rival"], row["seconds"], row["ratio"]) for row in rows] == [
        ("conv1d", 2.0, 3.0),
        ("conv2d", 2.0, 1.5),
    ]


def test_no_time_is_refused():
    done = run("layers", "--seconds", 0)
    assert done.returncode == 2
    assert "--seconds should be above 0" in done.stderr
