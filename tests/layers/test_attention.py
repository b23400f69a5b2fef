"""Attention beside PyTorch's own."""

import pytest
import torch
import torch.nn.functional as F

from tinyseg.errors import UsageError
from tinyseg.layers import Attention, AttentionToMask


def split(tokens: torch.Tensor, heads: int) -> torch.Tensor:
    return torch.stack(tokens.chunk(heads, -1), 1)


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("itself", [True, False])
def test_equals_pytorch_s(heads: int, itself: bool):
    torch.manual_seed(0)
    layer, x = Attention(12, heads).double(), torch.randn(2, 5, 12).double()
    context = x if itself else torch.randn(2, 7, 12).double()
    mixed, scores = layer.scored(x, context)
    query, key, value = (
        split(linear(tokens), heads)
        for linear, tokens in ((layer.query, x), (layer.key, context), (layer.value, context))
    )
    by_pytorch = F.scaled_dot_product_attention(query, key, value)
    expected = layer.projection(torch.cat(by_pytorch.unbind(1), -1))
    torch.testing.assert_close(mixed, expected)
    torch.testing.assert_close(layer(x, None if itself else context), expected)
    torch.testing.assert_close(scores.softmax(-1) @ value, by_pytorch)


def test_heads_may_be_of_any_width_and_without_bias():
    torch.manual_seed(0)
    layer, x = Attention(6, 4, head_width=5, bias=False).double(), torch.randn(2, 7, 6).double()
    assert set(layer.state_dict()) == {
        "query.weight",
        "key.weight",
        "value.weight",
        "projection.weight",
        "projection.bias",
    }
    query, key, value = (split(layer(x), 4) for layer in (layer.query, layer.key, layer.value))
    assert query.shape == (2, 4, 7, 5)
    by_pytorch = F.scaled_dot_product_attention(query, key, value)
    expected = layer.projection(torch.cat(by_pytorch.unbind(1), -1))
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("heads", [0, 5])
def test_heads_that_do_not_divide_are_refused(heads: int):
    with pytest.raises(UsageError, match=f"heads should divide a width of 12, which {heads} does"):
        Attention(12, heads)


def test_masks_are_the_scores_of_each_level_s_last_layer():
    layer, scores = AttentionToMask(2, 24, 12, heads=3, levels=2, depth=2).eval(), []
    for level in layer.levels:
        scored = level.layers[-1].across.scored

        def keep(*arguments, scored=scored):
            result = scored(*arguments)
            scores.append(result[1])
            return result

        level.layers[-1].across.scored = keep
    with torch.no_grad():
        masks, classes = layer([torch.randn(1, 9, 24) for _ in range(2)])
    assert (masks.shape, classes.shape) == ((1, 2, 9), (1, 2, 3))
    torch.testing.assert_close(masks, scores[0].mean(1) + scores[1].mean(1))
