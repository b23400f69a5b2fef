"""Times of rivals, taken in turn."""

import resource
import time
from collections.abc import Callable, Mapping
from statistics import mean, median
from typing import NamedTuple

import torch

Clock = Callable[[], float]
Action = Callable[[], object]

FEWEST_ROUNDS = 3
_SHORTEST_TURN = 0.005  # seconds that are timed in a turn, at least


class Times(NamedTuple):
    """Of one contestant, round by round."""

    seconds: list[float]
    page_faults: list[float]  # a call

    @property
    def median(self) -> float:
        """Seconds a call."""
        return median(self.seconds)

    def to_json(self) -> dict[str, object]:
        """Medians, and how many rounds they are of."""
        return {
            "seconds": self.median,
            "page_faults": median(self.page_faults),
            "rounds": len(self.seconds),
        }


wall_time: Clock = time.perf_counter


def on_device(device: str) -> Clock:
    """CPU time of all threads of this process; with a CUDA device, wall time of finished work."""
    return time.process_time if device == "cpu" else finished_time


def finished_time() -> float:
    """Seconds on the wall, once the CUDA device has nothing left to do."""
    torch.cuda.synchronize()
    return time.perf_counter()


def in_turn(
    actions: Mapping[str, Action], seconds: float, clock: Clock, *, rehearse: bool = True
) -> dict[str, Times]:
    """Times actions round by round, so that what disturbs the machine disturbs all alike.

    Each round begins with another action.

    Args:
        actions: by name.
        seconds: on the wall to spend; at least `FEWEST_ROUNDS` rounds are made.
        clock: seconds.
        rehearse: begin each turn with a call that is not timed, so that nobody pays for the caches
            that another has emptied.
    """
    times = {name: Times([], []) for name in actions}
    names = list(actions)
    stop, rounds = time.perf_counter() + seconds, 0
    while rounds < FEWEST_ROUNDS or time.perf_counter() < stop:
        for name in names[rounds % len(names) :] + names[: rounds % len(names)]:
            if rehearse:
                actions[name]()
            _turn(actions[name], clock, times[name])
        rounds += 1
    return times


def _turn(action: Action, clock: Clock, times: Times) -> None:
    spent: list[float] = []
    faults = _page_faults()
    while sum(spent) < _SHORTEST_TURN:
        start = clock()
        action()
        spent.append(clock() - start)
    times.seconds.append(mean(spent))
    times.page_faults.append((_page_faults() - faults) / len(spent))


def _page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
