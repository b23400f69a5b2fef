"""The phantom: the same every time, and as hard as the figures of the LGG set say.

The bands are around the medians measured on that set's 3,929 slices.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from tinyseg.data import Dataset, load_pictures, open_dataset
from tinyseg.data.measures import contrast, head_mask, inside, mask_dice, noise_level
from tinyseg.data.phantom import PhantomDataset
from tinyseg.evaluation.baselines import threshold_volume

FLAIR = 1
INNER = 14


def test_the_same_seed_gives_the_same_pixels():
    for key in ("phantom_001_3", "phantom_002_12"):
        one, other = PhantomDataset(2, 5).read(key), PhantomDataset(9, 5).read(key)
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.labels, other.labels)


def test_another_seed_gives_other_pixels():
    one, other = (PhantomDataset(1, seed).read("phantom_001_9").image for seed in (0, 1))
    assert (one != other).mean() > 0.5


def test_pixels_do_not_depend_on_what_was_read_before():
    dataset = PhantomDataset(12)
    first = dataset.read("phantom_001_10").image
    for group in range(2, 13):  # more patients than are remembered
        dataset.read(f"phantom_{group:03d}_1")
    assert np.array_equal(dataset.read("phantom_001_10").image, first)


def test_threads_read_what_one_thread_reads():
    dataset = PhantomDataset(3)
    keys = [key for key in dataset.keys if key.endswith(("5", "0"))]
    alone = [dataset.read(key).image for key in keys]
    start = threading.Barrier(4)

    def read_all(_: int) -> bool:
        start.wait()
        return all(
            np.array_equal(PhantomDataset(3).read(key).image, image)
            for key, image in zip(keys, alone, strict=True)
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read_all, range(4)))


def test_it_is_a_dataset_of_volumes():
    dataset = PhantomDataset(3)
    assert isinstance(dataset, Dataset)
    assert (dataset.kind, dataset.channels, dataset.threshold_channel) == ("phantom", 3, FLAIR)
    assert dataset.groups_are_volumes
    assert len(set(dataset.keys)) == len(dataset.keys)
    assert list(dict.fromkeys(map(dataset.group, dataset.keys))) == [
        "phantom_001", "phantom_002", "phantom_003",
    ]  # fmt: skip
    sample = dataset.read(dataset.keys[0])
    assert (sample.key, sample.group) == ("phantom_001_1", "phantom_001")
    assert (sample.image.shape, sample.image.dtype) == ((256, 256, 3), np.uint8)
    assert (sample.labels.shape, sample.labels.dtype) == ((256, 256), np.uint8)


@pytest.mark.parametrize(
    ("text", "patients", "source"),
    [
        ("phantom", 40, "phantom"),
        ("phantom:", 40, "phantom"),
        ("phantom:seed=3,patients=80", 80, "phantom:patients=80,seed=3"),
        ("phantom:patients=40, seed=0", 40, "phantom"),
    ],
)
def test_its_source_opens_it_again(text, patients, source):
    dataset = open_dataset(text)
    assert len({dataset.group(key) for key in dataset.keys}) == patients
    assert dataset.source == source
    assert open_dataset(dataset.source).keys == dataset.keys


# --- figures ------------------------------------------------------------------------------------


def figures_of_patient(samples) -> dict[str, list[float]]:
    """What is measured on one volume; slices in order."""
    masks = np.stack([sample.labels for sample in samples])
    marked = np.flatnonzero(masks.any(axis=(1, 2)))
    volume = np.stack([sample.image for sample in samples])
    found: dict[str, list[float]] = {
        "slices": [len(samples)],
        "unbroken": [float(len(marked) == marked[-1] - marked[0] + 1)],
        "threshold": [mask_dice(masks, threshold_volume(volume, FLAIR)) or 0.0],
        "area": [float(masks[place].sum()) for place in marked],
        "neighbours": [mask_dice(masks[a], masks[b]) or 0.0 for a, b in pairwise(marked)],
    }
    middle = range(len(samples) // 4, len(samples) * 3 // 4, 3)
    distinct = not any(np.array_equal(volume[..., FLAIR], volume[..., c]) for c in (0, 2))
    for place in middle:
        image, mask = samples[place].image, samples[place].labels
        head = head_mask(image)
        inner = inside(head, INNER)
        add(found, "head", head.mean())
        add(found, "outside", float((mask.astype(bool) & ~head).sum()))
        add(found, "noise", noise_level(image[..., FLAIR], inner))
        add(found, "spread", image[inner, FLAIR].std() / np.median(image[inner, FLAIR]))
        add(found, "air", image[~head, FLAIR].mean())
        if distinct:
            levels = image[inner].T.astype(float)
            for name, pair in (("pre-flair", (0, 1)), ("flair-post", (1, 2)), ("pre-post", (0, 2))):
                add(found, name, np.corrcoef(levels[list(pair)])[0, 1])
        if distinct and mask.sum() >= 50:
            for channel, name in enumerate(("pre", "flair", "post")):
                add(found, name, contrast(image[..., channel], mask, head))
            if mask.sum() >= 300:
                add(found, "edge", rise(image[..., FLAIR], mask))
    return found


def add(found: dict[str, list[float]], name: str, value: float | None) -> None:
    if value is not None:
        found.setdefault(name, []).append(float(value))


def rise(plane, mask) -> float | None:
    """How far FLAIR has come, of the way from ring to tumour, over 1 px outside to 1 px inside."""
    from scipy import ndimage

    inner, outer = (ndimage.distance_transform_edt(region) for region in (mask, mask == 0))
    distance = np.where(mask, 0.5 - inner, outer - 0.5)
    ring, tumour = plane[(distance > 4) & (distance < 10)].mean(), plane[mask > 0].mean()
    if tumour - ring < 10:
        return None
    near = [plane[np.abs(distance - at) <= 0.75].mean() for at in (1, -1)]
    return (near[1] - near[0]) / (tumour - ring)


@pytest.fixture(scope="module")
def figures() -> dict[str, np.ndarray]:
    dataset = PhantomDataset()
    volumes: dict[str, list[str]] = {}
    for key in dataset.keys:
        volumes.setdefault(dataset.group(key), []).append(key)

    def look(keys):
        return figures_of_patient([dataset.read(key) for key in keys])

    total: dict[str, list[float]] = {}
    with ThreadPoolExecutor() as pool:
        for found in pool.map(look, volumes.values()):
            for name, values in found.items():
                total.setdefault(name, []).extend(values)
    return {name: np.array(values) for name, values in total.items()}


def test_tumours_are_one_unbroken_run_inside_the_head(figures):
    assert figures["unbroken"].all()
    assert figures["outside"].max() == 0
    assert figures["slices"].min() >= 20
    assert figures["slices"].max() <= 88


def test_a_third_of_the_slices_has_tumour(figures):
    """34.9 %."""
    assert 0.30 <= len(figures["area"]) / figures["slices"].sum() <= 0.40


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("area", 1_200, 1_900),  # 1,529 px
        ("neighbours", 0.75, 0.86),  # by number of slices 0.75, 0.78, 0.86
        ("flair", 1.5, 1.8),  # 1.65
        ("pre", 0.86, 1.06),  # 0.96
        ("post", 0.82, 1.02),  # 0.92
        ("noise", 1.4, 3.1),  # quartiles 1.5, 2.2, 3.0
        ("spread", 0.25, 0.38),  # 0.32
        ("air", 1.5, 4.5),  # 3.2
        ("head", 0.40, 0.50),  # 0.45
        ("pre-flair", 0.67, 0.86),  # 0.79
        ("flair-post", 0.49, 0.75),  # 0.63
        ("pre-post", 0.68, 0.87),  # 0.80
        ("edge", 0.45, 0.72),  # 0.87 less 0.30
    ],
)
def test_medians_are_near_the_measured_ones(figures, name, lowest, highest):
    assert lowest <= np.median(figures[name]) <= highest


def test_areas_spread_as_measured(figures):
    """5th and 95th percentile: 184 and 4,932 px."""
    low, high = np.percentile(figures["area"], (5, 95))
    assert 120 <= low <= 350
    assert 3_800 <= high <= 6_300


def test_a_threshold_finds_as_much_as_in_real_volumes_and_no_more(figures):
    """0.43 over 110 patients, with many at 0 and many above 0.7."""
    assert 0.4 <= figures["threshold"].mean() <= 0.5
    assert (figures["threshold"] < 0.05).mean() >= 0.1
    assert (figures["threshold"] > 0.7).mean() >= 0.2


def test_missing_sequences_repeat_flair():
    """9 % of the patients lack the sequence after contrast; some lack both others."""
    dataset = PhantomDataset(80)
    first = {dataset.group(key): key for key in reversed(dataset.keys)}
    with ThreadPoolExecutor() as pool:
        images = list(pool.map(lambda key: dataset.read(key).image, first.values()))
    post = [np.array_equal(image[..., 1], image[..., 2]) for image in images]
    pre = [np.array_equal(image[..., 1], image[..., 0]) for image in images]
    assert 1 <= sum(pre) <= sum(post) <= 16
    assert not any(a and not b for a, b in zip(pre, post, strict=True))


def test_a_network_gets_its_pictures_in_order():
    dataset = PhantomDataset(2)
    pictures = load_pictures(dataset, dataset.keys[10:20], 64)
    assert pictures.keys == dataset.keys[10:20]
    assert np.array_equal(
        pictures.images[3], load_pictures(dataset, dataset.keys[13:14], 64).images[0]
    )
