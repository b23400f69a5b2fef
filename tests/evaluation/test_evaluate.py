"""The whole way from pictures to a record, and into a run folder."""

import numpy as np
import pytest
from torch import nn

from tests.evaluation.test_baselines import Drawn
from tinyseg.data import Preprocessing, load_pictures
from tinyseg.errors import TinysegError
from tinyseg.evaluation import count_images, evaluate, evaluate_dataset, network_predictor

PREPROCESSING = Preprocessing(size=128, mean=(0.2, 0.4, 0.2), std=(0.5, 0.5, 0.5))


def bright(inputs: np.ndarray) -> np.ndarray:
    """Says foreground where channel 1 was above 75 grey levels."""
    return inputs[:, 1:2] * 0.5 + 0.4 - 75 / 255


def test_a_predictor_that_finds_the_bright_is_scored_by_hand():
    dataset = Drawn()
    pictures = load_pictures(dataset, ["a-1", "a-2", "b-1"], 128)
    evaluation = evaluate(
        bright, pictures, PREPROCESSING, subject="bright", part="test", data="drawn",
        classes=["tumour"], groups_are_volumes=True, batch_size=2,
    )  # fmt: skip
    tumour = int(pictures.labels[0].sum())
    scalp = int((pictures.images[1, ..., 1] == 100).sum())
    table, record = evaluation.table, evaluation.record
    assert table.tp.tolist() == [[tumour, 0, tumour]]
    assert table.fp.tolist() == [[scalp] * 3]
    assert table.fn.tolist() == [[0, 0, 0]]
    one = 2 * tumour / (2 * tumour + scalp)
    two = 2 * tumour / (2 * tumour + 2 * scalp)
    assert record.dice.per_image.mean == pytest.approx((one + 0 + one) / 3)
    assert record.dice.per_volume is not None
    assert record.dice.per_volume.mean == pytest.approx((two + one) / 2)
    assert (record.images, record.groups, record.size) == (3, 2, 128)
    assert [scores.name for scores in record.per_class] == ["tumour"]


def test_the_batch_size_changes_nothing():
    dataset = Drawn()
    pictures = load_pictures(dataset, dataset.keys, 128)
    one, all_at_once = (
        count_images(bright, pictures, PREPROCESSING, batch_size=size) for size in (1, 6)
    )
    assert np.array_equal(one[2:], all_at_once[2:])


def test_the_threshold_is_a_probability():
    dataset = Drawn()
    pictures = load_pictures(dataset, ["a-2"], 128)
    logit = np.log(0.8 / 0.2)
    everywhere = lambda inputs: np.full((len(inputs), 1, 128, 128), logit, np.float32)  # noqa: E731
    for threshold, share in ((0.79, 1), (0.81, 0)):
        table = count_images(everywhere, pictures, PREPROCESSING, threshold=threshold)
        assert table.fp.tolist() == [[share * 128 * 128]]


def test_a_network_predicts_in_evaluation_mode_and_stays_in_training():
    network = nn.Sequential(nn.Conv2d(3, 1, 1), nn.Dropout(0.99), nn.BatchNorm2d(1)).train()
    inputs = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    predict = network_predictor(network)
    first, again = predict(inputs), predict(inputs)
    assert (first == again).all()
    assert first.shape == (2, 1, 8, 8)
    assert all(module.training for module in network.modules())
    assert network[2].num_batches_tracked == 0


@pytest.mark.parametrize(
    ("keys", "channels", "task", "classes", "sentence"),
    [
        ([], 3, "segmentation", 1, "part 'test' of drawn has no pictures"),
        (["a-1", "c-1"], 3, "segmentation", 1, "lacks 1 of the 2 pictures .* such as c-1"),
        (["a-1"], 4, "segmentation", 1, "have 3 channels, the network takes 4"),
        (["a-1"], 3, "classification", 10, "is for segmentation, the network for classification"),
        (["a-1"], 3, "segmentation", 3, "The network has 2 classes, the data drawn have 1"),
    ],
)
def test_data_that_do_not_fit_are_named(keys, channels, task, classes, sentence):
    preprocessing = Preprocessing(size=64, mean=(0.5,) * channels, std=(0.5,) * channels)
    options = {"task": task, "classes": ["a"] * classes, "subject": "x", "part": "test"}
    with pytest.raises(TinysegError, match=sentence):
        evaluate_dataset(bright, Drawn(), keys, preprocessing, **options)
