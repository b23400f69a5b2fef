"""Adding a part, and leaving it out for some pictures."""

import pytest
import torch
from torch import nn

from tinyseg.errors import UsageError
from tinyseg.layers import Residual


def test_adds_what_the_part_makes():
    x = torch.randn(2, 3, 4)
    assert torch.equal(Residual(nn.ReLU())(x), x + x.relu())


def test_leaves_the_part_out_for_whole_pictures_and_keeps_the_mean():
    torch.manual_seed(0)
    layer, x = Residual(nn.Identity(), drop_path=0.25), torch.ones(4000, 2, 3)
    added = layer(x) - x
    assert (added == added[:, :1, :1]).all()
    assert added.unique().tolist() == pytest.approx([0, 4 / 3])
    assert added.mean().item() == pytest.approx(1, abs=0.03)
    assert torch.equal(layer.eval()(x), 2 * x)


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_that_is_none_is_refused(share: float):
    with pytest.raises(UsageError, match=f"at least 0 and below 1, not {share}"):
        Residual(nn.Identity(), share)
