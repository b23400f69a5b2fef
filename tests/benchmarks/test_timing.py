import itertools

import pytest

from benchmarks.timing import FEWEST_ROUNDS, in_turn


class Clockwork:
    """A clock that only work moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def work(self, name, seconds):
        def action():
            self.calls.append(name)
            self.now += seconds

        return action


def test_every_contestant_gets_the_time_that_its_calls_take():
    clock = Clockwork()
    actions = {"slow": clock.work("slow", 2.0), "fast": clock.work("fast", 0.001)}
    times = in_turn(actions, 0, lambda: clock.now)
    assert times["slow"].median == pytest.approx(2.0)
    assert times["fast"].median == pytest.approx(0.001)


def test_short_calls_are_repeated_within_a_turn_and_long_ones_are_not():
    clock = Clockwork()
    actions = {"slow": clock.work("slow", 2.0), "fast": clock.work("fast", 0.001)}
    in_turn(actions, 0, lambda: clock.now, rehearse=False)
    assert clock.calls.count("slow") == FEWEST_ROUNDS
    assert clock.calls.count("fast") >= 5 * FEWEST_ROUNDS


def test_rounds_are_interleaved_and_begin_with_another_each_time():
    clock = Clockwork()
    actions = {name: clock.work(name, 1.0) for name in "abc"}
    in_turn(actions, 0, lambda: clock.now, rehearse=False)
    assert "".join(clock.calls) == "abcbcacab"


def test_the_first_call_of_a_turn_is_not_timed():
    clock = Clockwork()
    durations = itertools.cycle([100.0, 1.0])  # cold, then warm

    def action():
        clock.now += next(durations)

    assert in_turn({"one": action}, 0, lambda: clock.now)["one"].median == pytest.approx(1.0)
