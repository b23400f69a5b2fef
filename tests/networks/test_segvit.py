"""SegViT: counts by formula, and its logits beside the published prediction."""

import re
from itertools import pairwise

import pytest
import torch

from tests.networks.check_values import fill, picture
from tinyseg.counting import count
from tinyseg.errors import UsageError
from tinyseg.networks.segvit import SEGVIT, SegViT

SMALL = {"size": 64, "width": 24, "depth": 3, "levels": (0, 1, 2)}


def by_formula(classes: int, width: int = 192, depth: int = 12, levels: int = 3) -> tuple[int, int]:
    """Parameters of encoder and decoder for 16 x 16 patches of 16 x 16 x 3."""
    patches, positions = 16 * 16 * 3 * width + width, 16 * 16 * width
    block = 12 * width**2 + 13 * width
    inner = width // 2
    layer = 2 * 4 * (inner**2 + inner) + 8 * inner**2 + 5 * inner + 3 * 2 * inner
    level = width * inner + inner + 2 * inner + 3 * layer
    head = classes * inner + (inner + 1) * (classes + 1)
    return patches + positions + depth * block, levels * level + head


def test_the_formula_is_the_published_one():
    assert by_formula(classes=2) == (5_535_168, 1_400_163)


@pytest.mark.parametrize(("classes", "total"), [(1, 6_935_138), (2, 6_935_331)])
def test_counts_are_exact(classes: int, total: int):
    network = SEGVIT.module(classes=classes, **SEGVIT.arguments)
    encoder, decoder = by_formula(classes)
    parts = (network.encoder, network.decoder)
    assert [sum(p.numel() for p in part.parameters()) for part in parts] == [encoder, decoder]
    assert encoder + decoder == total == sum(p.numel() for p in network.parameters())


def test_macs_by_hand():
    patches, width, inner, queries, classes = 256, 192, 96, 2, 3
    embedding = patches * width * 16 * 16 * 3
    block = patches * width * (12 * width + 2 * patches + 2 * 5)  # linear, attention, two norms
    among = queries * inner * (4 * inner + 2 * queries)
    across = 2 * (queries + patches) * inner**2 + 2 * queries * patches * inner
    layer = among + across + queries * inner * (8 * inner + 3 * 5)
    level = patches * inner * (width + 5) + 3 * layer
    record = count(SegViT(classes=queries), name="segvit")
    assert {stage.name: stage.macs for stage in record.stages} == {
        "encoder": embedding + 12 * block,
        "decoder": 3 * level + queries * inner * classes,
        "to_picture": 0,
    }
    assert record.unused_parameters == 0


def parts_of_prediction(network: SegViT, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Class probabilities of the queries, and their masks at the picture's size."""
    masks, classes = network.decoder(network.encoder(x))
    side = x.shape[2] // 16
    masks = network.to_picture(masks.unflatten(2, (side, side)), x.shape[2:])
    return classes.softmax(-1), masks.sigmoid()


def test_one_class_is_predicted_as_published():
    network = SegViT(size=64)
    fill(network)
    with torch.no_grad():
        classes, masks = parts_of_prediction(network, picture())
        published = torch.einsum("bqc,bqhw->bchw", classes[..., :-1], masks)
        assert published.std() > 1e-4
        torch.testing.assert_close(network(picture()).sigmoid(), published, rtol=0, atol=1e-8)


def test_of_several_classes_each_query_speaks_for_its_own():
    network = SegViT(size=64, classes=3)
    fill(network)
    with torch.no_grad():
        classes, masks = parts_of_prediction(network, picture())
        own = torch.stack([classes[:, c, c, None, None] * masks[:, c] for c in range(3)], 1)
        torch.testing.assert_close(network(picture()).sigmoid(), own, rtol=0, atol=1e-8)


def test_logits_stay_finite_at_both_ends():
    network = SegViT(**SMALL)
    for score in (1e4, -1e4):
        with torch.no_grad():
            network.decoder.classify.bias.copy_(torch.tensor([score, -score]))
            assert network(torch.randn(1, 3, 64, 64)).isfinite().all()


def test_the_decoder_asks_the_deepest_level_first():
    network, seen = SegViT(**SMALL).eval(), []
    for module in (*network.encoder.blocks, *network.decoder.levels):
        module.register_forward_hook(lambda _, inputs, output: seen.append((inputs, output)))
    with torch.no_grad():
        network(torch.randn(1, 3, 64, 64))
    blocks, levels = seen[:3], seen[3:]
    for (_, block), ((_, patches), _) in zip(reversed(blocks), levels, strict=True):
        assert torch.equal(block, patches)
    for (_, (queries, _)), ((asked, _), _) in pairwise(levels):
        assert torch.equal(queries, asked)


@pytest.mark.parametrize("size", [32, 64])
def test_pictures_of_any_size_channels_and_classes(size: int):
    network = SegViT(1, 3, **{**SMALL, "size": size}).eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 1, 50, 71)).shape == (2, 3, 50, 71)


@pytest.mark.parametrize("classes", [1, 3])
def test_every_parameter_learns(classes: int):
    network = SegViT(classes=classes, **SMALL)
    network(torch.randn(2, 3, 64, 64)).square().mean().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"size": 100}, "size should be a multiple of 16, not 100"),
        ({"width": 190}, "width should be a multiple of twice 3 heads, not 190"),
        ({"heads": 0}, "heads should be at least 1, not 0"),
        ({"levels": (7, 5, 11)}, "levels should be blocks in rising order, not [7, 5, 11]"),
        ({"levels": ()}, "levels should be blocks in rising order, not []"),
        ({"depth": 10}, "The last of levels should be the last of 10 blocks, 9, not 11"),
        ({"decoder_depth": 0}, "decoder_depth should be at least 1, not 0"),
        ({"dropout": 1.0}, "dropout should be at least 0 and below 1, not 1.0"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, sentence: str):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        SegViT(**arguments)
