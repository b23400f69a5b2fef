"""What an evaluation scores, from what a user names."""

import pytest

from tests.finished_runs import draw_patients
from tinyseg.errors import TinysegError, UsageError
from tinyseg.evaluation import choose_pictures
from tinyseg.runs import Run


@pytest.fixture
def run(finished_runs) -> Run:
    return Run(finished_runs / "unet-drawn-1")


def test_a_run_is_scored_on_its_test_part(run):
    chosen = choose_pictures(run)
    assert (chosen.part, chosen.keys) == ("test", run.split.test)
    assert chosen.dataset.source == run.record.data.source


def test_any_part_of_its_split_can_be_named(run):
    assert choose_pictures(run, part="validation").keys == run.split.validation
    every = choose_pictures(run, part="all")
    assert (every.part, len(every.keys)) == ("all", run.record.data.images)


def test_other_data_are_scored_whole(run, tmp_path):
    other = draw_patients(tmp_path / "other", patients=2)
    chosen = choose_pictures(run, data=str(other))
    assert (chosen.part, len(chosen.keys)) == ("all", 8)
    assert chosen.dataset.source == f"lgg:{other}"


def test_a_part_of_other_data_is_what_the_split_names(run, tmp_path):
    moved = draw_patients(tmp_path / "moved")
    chosen = choose_pictures(run, part="test", data=str(moved))
    assert chosen.keys == run.split.test
    assert chosen.dataset.source == f"lgg:{moved}"


def test_without_a_run_only_whole_data_can_be_scored(tmp_path):
    data = str(draw_patients(tmp_path / "data", patients=1))
    assert len(choose_pictures(None, data=data).keys) == 4
    with pytest.raises(UsageError, match="nobody knows its data"):
        choose_pictures(None)
    with pytest.raises(UsageError, match="which pictures are the test part"):
        choose_pictures(None, part="test", data=data)


def test_data_that_are_gone_are_named(run):
    with pytest.raises(TinysegError, match="no folder 'gone'"):
        choose_pictures(run, data="gone")
