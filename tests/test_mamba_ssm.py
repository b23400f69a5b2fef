"""What stands in for mamba-ssm: its arguments, its names of weights, its values."""

import inspect

import pytest
import torch
from torch import nn

from tests.layers.mamba_by_hand import mamba
from tests.layers.test_mamba import as_arrays
from tinyseg import layers
from tinyseg.errors import UsageError
from tinyseg.mamba_ssm import Mamba, selective_scan_fn

#: mamba_ssm/modules/mamba_simple.py of mamba-ssm 2.
SIGNATURE = {
    "d_model": inspect.Parameter.empty, "d_state": 16, "d_conv": 4, "expand": 2, "dt_rank": "auto",
    "dt_min": 0.001, "dt_max": 0.1, "dt_init": "random", "dt_scale": 1.0, "dt_init_floor": 1e-4,
    "conv_bias": True, "bias": False, "use_fast_path": True, "layer_idx": None, "device": None,
    "dtype": None,
}  # fmt: skip
#: Names and shapes in mamba-ssm's state_dict of Mamba(d_model=24, d_state=8, d_conv=3, expand=3).
WEIGHTS = {
    "A_log": (72, 8), "D": (72,), "in_proj.weight": (144, 24), "conv1d.weight": (72, 1, 3),
    "conv1d.bias": (72,), "x_proj.weight": (18, 72), "dt_proj.weight": (72, 2),
    "dt_proj.bias": (72,), "out_proj.weight": (24, 72),
}  # fmt: skip


def test_its_arguments_are_called_and_ordered_as_mamba_ssms():
    parameters = inspect.signature(Mamba).parameters
    assert {name: each.default for name, each in parameters.items()} == SIGNATURE
    assert list(parameters) == list(SIGNATURE)


def test_weights_saved_under_mamba_ssms_names_load(tmp_path):
    torch.manual_seed(0)
    saved = {name: torch.randn(shape) / 5 for name, shape in WEIGHTS.items()}
    torch.save(saved, tmp_path / "mamba.pth")
    layer = Mamba(d_model=24, d_state=8, d_conv=3, expand=3)
    layer.load_state_dict(torch.load(tmp_path / "mamba.pth", weights_only=True))
    tokens = torch.randn(1, 12, 24)
    with torch.no_grad():
        y = layer.double()(tokens.double())
    by_hand = mamba(as_arrays(layer), tokens[0].double().numpy(), False)
    torch.testing.assert_close(y[0], torch.from_numpy(by_hand), rtol=0, atol=1e-12)


def test_it_is_the_layer_under_other_names():
    named, ours = Mamba(24, 8, 3, 3), layers.Mamba(24, states=8, kernel=3, expand=3)
    ours.load_state_dict(named.state_dict())
    tokens = torch.randn(2, 9, 24)
    assert torch.equal(named(tokens), ours(tokens))
    assert (named.d_model, named.d_inner, named.dt_rank, named.d_state) == (24, 72, 2, 8)


def test_fresh_weights_start_as_it_is_told():
    torch.manual_seed(0)
    layer = Mamba(64, dt_min=0.2, dt_max=0.3, dt_init="constant", dt_scale=3.0)
    steps = nn.functional.softplus(layer.dt_proj.bias)
    assert 0.1999 < steps.min() < 0.21
    assert 0.29 < steps.max() < 0.3001
    torch.testing.assert_close(layer.dt_proj.weight, torch.full((128, 4), 1.5))
    floor = nn.functional.softplus(Mamba(64, dt_init_floor=0.05).dt_proj.bias)
    assert floor.min().item() == pytest.approx(0.05)


def test_marks_that_networks_read_are_there():
    layer = Mamba(8)
    assert getattr(layer.dt_proj.bias, "_no_reinit", False)
    assert getattr(layer.A_log, "_no_weight_decay", False)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"expand": 1.5}, "expand should be a whole number, not 1.5"),
        ({"dt_rank": 3}, "dt_rank should be 'auto', 2 here, not 3"),
        ({"bias": True}, "conv_bias=True and bias=False, not True and True"),
        ({"conv_bias": False}, "conv_bias=True and bias=False, not False and False"),
        ({"dt_init": "zero"}, "dt_init should be 'random' or 'constant', not 'zero'"),
    ],
)
def test_what_it_does_not_offer_is_refused(arguments, sentence):
    with pytest.raises(UsageError, match=sentence):
        Mamba(24, **arguments)
    Mamba(24, dt_rank=2, use_fast_path=False, layer_idx=3, device="cpu", dtype=torch.float32)


def test_going_on_from_a_state_is_refused():
    with pytest.raises(UsageError, match="without inference_params"):
        Mamba(8)(torch.zeros(1, 3, 8), inference_params={})


def test_the_scan_is_there_under_mamba_ssms_name():
    names = list(inspect.signature(selective_scan_fn).parameters)
    assert names[:10] == [
        "u", "delta", "A", "B", "C", "D", "z", "delta_bias", "delta_softplus", "return_last_state",
    ]  # fmt: skip
