"""Where the time of a training step goes, by kind of work."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from torch.profiler import ProfilerActivity, profile

#: Name under which scans are recorded.
SCAN = "benchmarks::scan"

#: Kinds by the names of operations; the first that fits counts.
_KINDS = {
    "scan": re.escape(SCAN),
    "optimiser": r"^Optimizer\.",
    "short convolution": r"causal_?conv|aten::conv1d",
    "convolutions": r"aten::conv(olution|2d)",
    "group norm": r"group_?norm",
    "layer norm": r"layer_norm",
    "matrix products": r"aten::(linear|matmul|mm|bmm|addmm)$",
    "pooling": r"pool",
    "resizing": r"upsample|interpolate",
    "activations": r"gelu|silu|softplus|sigmoid",
    "copies": r"aten::(copy_|_to_copy|contiguous|clone|cat|reshape)$",
}
REST = "rest"
KINDS = (*_KINDS, REST)
_PATTERNS = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in _KINDS.items()}


def where_time_goes(step: Callable[[], object], steps: int) -> dict[str, float]:
    """Self CPU seconds a step, by kind.

    A nested operation is of the kind of the outermost one around it that has a kind; a backward is
    of the kind of its forward.
    """
    step()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(steps):
            step()
    seconds: dict[str, float] = dict.fromkeys(KINDS, 0.0)
    events = [event for event in profiler.events() or [] if event.device_type.name == "CPU"]
    forwards = _kinds_of_forwards(events)
    for event in events:
        kind = _kind(event, forwards)
        seconds[kind] += event.self_cpu_time_total / 1e6 / steps
    return seconds


def kind_of_name(name: str) -> str | None:
    """The kind of an operation; None where its name says none."""
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.search(name)), None)


def _kind(event: Any, forwards: dict[int, str]) -> str:
    """Of an event, by those around it from the outside in."""
    for around in reversed(list(_chain(event))):
        if _is_backward(around):
            return forwards.get(around.sequence_nr) or kind_of_name(around.name) or REST
        if kind := kind_of_name(around.name):
            return kind
    return REST


def _kinds_of_forwards(events: Iterable[Any]) -> dict[int, str]:
    """Kinds by the number that autograd gives to a forward and its backward alike.

    Operations that autograd does not record carry the number of the next that it does, so the last
    one counts.
    """
    kinds: dict[int, str] = defaultdict(lambda: REST)
    forwards = [e for e in events if e.sequence_nr >= 0 and not any(map(_is_backward, _chain(e)))]
    for event in sorted(forwards, key=lambda event: event.time_range.start):
        kinds[event.sequence_nr] = _kind(event, {})
    return dict(kinds)


def _is_backward(event: Any) -> bool:
    return event.name.startswith("autograd::engine::evaluate_function")


def _chain(event: Any) -> Iterable[Any]:
    """The event and those around it, from the inside out."""
    while event is not None:
        yield event
        event = event.cpu_parent
