"""The picture of Dice against parameters: real files, and labels that can be read."""

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from tests.comparison.run_folders import evaluated, make_run
from tinyseg.comparison import compare, plot
from tinyseg.comparison.labels import place_labels
from tinyseg.errors import TinysegError, UsageError


@pytest.fixture
def document(tmp_path):
    runs = [
        evaluated(make_run(tmp_path, f"unet-lgg-jpeg-{n}", 10 ** (4 + n % 3)), 0.5 + n / 20)
        for n in range(8)
    ]
    return compare(runs)


def axes_of(figure: Figure):
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.set_xlim(1e4, 1e8)
    axes.set_ylim(0, 1)
    figure.draw_without_rendering()
    return axes


def texts_of(axes) -> list[Bbox]:
    """Where labels stand, without the lines to their points."""
    for label in axes.texts:
        label.get_window_extent()  # puts it in its place
    return [Text.get_window_extent(label) for label in axes.texts]


@pytest.mark.parametrize("seed", range(8))
def test_labels_cover_neither_each_other_nor_points(seed):
    """Twelve points, half of them in a crowd."""
    random = np.random.default_rng(seed)
    figure = Figure(figsize=(7, 4.5), dpi=150)
    axes = axes_of(figure)
    logs = np.concatenate([random.uniform(4.5, 7.5, 6), random.normal(6, 0.15, 6)])
    dices = np.concatenate([random.uniform(0.1, 0.9, 6), random.normal(0.5, 0.05, 6)])
    points = [
        (10**x, y, f"ul-vm-unet-{n}") for n, (x, y) in enumerate(zip(logs, dices, strict=True))
    ]
    pixels = axes.transData.transform([point[:2] for point in points])
    taken = [Bbox.from_extents(x - 6, y - 6, x + 6, y + 6) for x, y in pixels]
    place_labels(axes, points, taken)
    assert [label.get_text() for label in axes.texts] == [point[2] for point in points]
    boxes = texts_of(axes)
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    for box in boxes:
        assert box.count_overlaps(taken) == 0
        frame = axes.get_window_extent()
        assert frame.contains(box.x0, box.y0)
        assert frame.contains(box.x1, box.y1)


def test_labels_leave_lines_alone_but_rather_cross_one_than_a_label():
    axes = axes_of(Figure(figsize=(7, 4.5), dpi=150))
    (x, y), *_ = axes.transData.transform([(1e6, 0.5)])
    line = [Bbox.from_extents(x + step, y + 8, x + step + 2, y + 12) for step in range(0, 200, 5)]
    place_labels(axes, [(1e6, 0.5, "one")], [], line)
    assert texts_of(axes)[0].count_overlaps(line) == 0
    everywhere = [axes.get_window_extent()]
    place_labels(axes, [(1e6, 0.5, "two")], texts_of(axes), everywhere)
    assert not Bbox.overlaps(*texts_of(axes))


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_files_are_what_their_ending_says(document, tmp_path, ending):
    path = tmp_path / "new folder" / f"figure.{ending}"
    plot(document, path)
    if ending == "png":
        with Image.open(path) as picture:
            assert picture.size == (1050, 675)
            assert len(np.unique(np.asarray(picture.convert("L")))) > 50
    else:
        assert path.read_bytes()[:5] in (b"<?xml", b"%PDF-")
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_the_same_runs_are_named_and_the_axes_say_what_they_are(document, tmp_path, monkeypatch):
    from matplotlib import rcParams

    monkeypatch.setitem(rcParams, "svg.fonttype", "none")
    plot(document, tmp_path / "figure.svg")
    text = (tmp_path / "figure.svg").read_text()
    for row in document.rows:
        assert row["run"] in text
    for word in ("parameters", "Dice per volume", "phantom, split by patient, 128 px"):
        assert word in text


def test_runs_of_one_parameter_count_and_a_single_run_are_drawn(tmp_path):
    run = evaluated(make_run(tmp_path, "a-1", 1000), 0.5)
    plot(compare([run]), tmp_path / "one.png")
    plot(compare([run, evaluated(make_run(tmp_path, "a-2", 1000), 0.5)]), tmp_path / "two.png")


def test_another_ending_or_nothing_to_draw_is_told(document, tmp_path):
    with pytest.raises(UsageError, match=r"figure\.jpg should end in \.png, \.svg, \.pdf"):
        plot(document, tmp_path / "figure.jpg")
    bare = compare([make_run(tmp_path, "bare-1", 1)])
    with pytest.raises(TinysegError, match="nothing to draw: no run has a score"):
        plot(bare, tmp_path / "figure.png")
    assert not list(tmp_path.glob("figure*"))
