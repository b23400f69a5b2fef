"""Pictures and masks change together, or masks not at all."""

from typing import get_args

import pytest
import torch

from tinyseg.runs import records
from tinyseg.training.augmentation import Augmentation, make_augmentation


def of_masks(*names: str) -> Augmentation:
    return make_augmentation(names, "segmentation", 32)


def marked_pictures() -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures whose first channel is their mask, an L that no symmetry maps to itself."""
    masks = torch.zeros(64, 1, 32, 32)
    masks[:, :, 6:26, 8:12] = 1
    masks[:, :, 22:26, 8:24] = 1
    images = torch.full((64, 3, 32, 32), 0.4)
    images[:, :1] = masks
    return images, masks


@pytest.mark.parametrize("name", ["flip", "rot90"])
def test_symmetries_move_picture_and_mask_alike(name):
    images, masks = marked_pictures()
    torch.manual_seed(0)
    moved, moved_masks = make_augmentation([name], "segmentation", 32)(
        images.clone(), masks.clone()
    )
    assert torch.allclose(moved[:, :1], moved_masks, atol=1e-5)  # quarter turns are interpolated
    different = {tuple(mask.flatten().tolist()) for mask in moved_masks}
    assert len(different) == 4
    assert moved_masks.sum() == masks.sum()


def test_small_rotations_move_picture_and_mask_alike():
    images, masks = marked_pictures()
    torch.manual_seed(0)
    moved, moved_masks = of_masks("rotate")(images.clone(), masks.clone())
    assert moved_masks.unique().tolist() == [0, 1]
    agree = ((moved[:, :1] >= 0.5) == (moved_masks == 1)).float().mean()
    assert agree > 0.98  # the picture is interpolated, the mask takes the nearest
    share = (moved_masks != masks).flatten(1).any(1).float().mean()
    assert 0.3 < share < 0.7
    assert 0.85 < moved_masks.sum() / masks.sum() < 1.15


def test_intensity_changes_pictures_alone_and_stays_in_range():
    images, masks = marked_pictures()
    torch.manual_seed(0)
    changed, same = of_masks("intensity")(images.clone(), masks.clone())
    assert torch.equal(same, masks)
    assert 0 <= changed.min() <= changed.max() <= 1
    levels = changed[:, 1, 0, 0]
    assert levels.unique().numel() > 32
    # From 0.4: gain, shift and gamma at their ends give 0.195 and 0.62.
    assert 0.19 < levels.min() < 0.37
    assert 0.43 < levels.max() < 0.63


def test_none_changes_nothing():
    images, masks = marked_pictures()
    same = of_masks()(images, masks)
    assert torch.equal(same[0], images)
    assert torch.equal(same[1], masks)


def test_equal_seeds_give_equal_pictures():
    augment = of_masks(*get_args(records.Augmentation))
    results: list[torch.Tensor] = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(augment(*marked_pictures())[0])
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_crops_move_pictures_and_masks_alike_by_an_eighth_at_most():
    images, masks = marked_pictures()
    torch.manual_seed(0)
    moved, moved_masks = of_masks("crop")(images, masks)
    assert torch.equal(moved[:, :1], moved_masks)
    first = [
        (mask.any(1).nonzero()[0].item(), mask.any(0).nonzero()[0].item())
        for mask in moved_masks[:, 0]
    ]
    rows, columns = zip(*first, strict=True)
    assert (min(rows), max(rows), min(columns), max(columns)) == (2, 10, 4, 12)


def test_a_mirror_leaves_labels_of_whole_pictures():
    images, _ = marked_pictures()
    labels = torch.arange(64)
    torch.manual_seed(0)
    moved, same = make_augmentation(["mirror"], "classification", 32)(images.clone(), labels)
    assert torch.equal(same, labels)
    turned = (moved == images.flip(3)).flatten(1).all(1)
    assert (turned | (moved == images).flatten(1).all(1)).all()
    assert 16 < turned.sum() < 48
