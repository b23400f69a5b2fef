"""A child process of `benchmarks.export`: one contestant, that runs when it is told to.

The first line of standard input is a request. Each line after it asks for a turn, which is answered
by a line: the seconds that a call took. It ends with its input.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CALLS = 3  # timed in a turn, after one that is not

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def main() -> None:
    """Loads the contestant, leaves its logits in a file, and takes turns."""
    with os.fdopen(os.dup(1), "w") as answers, ExitStack() as stack:
        os.dup2(2, 1)  # runtimes print, and their words are no answer
        request = json.loads(sys.stdin.readline())
        run = _artifact(request) if request["artifact"] else _network(request, stack)
        image = np.load(request["input"])
        np.save(request["logits"], run(image))
        print("ready", file=answers, flush=True)
        for _ in sys.stdin:
            run(image)
            start = time.process_time()
            for _ in range(_CALLS):
                run(image)
            print((time.process_time() - start) / _CALLS, file=answers, flush=True)


def _artifact(request: dict[str, Any]) -> Run:
    from tinyseg.exporters.base import load_exporter

    return load_exporter(request["format"]).session(Path(request["artifact"]), 1)


def _network(request: dict[str, Any], stack: ExitStack) -> Run:
    import torch

    from benchmarks.scan_choice import mambapy_inside, scan_backend
    from tinyseg.exporters import resolve

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    network = resolve(request["network"], size=request["size"]).network()
    scan = request["scan"]
    stack.enter_context(mambapy_inside() if scan == "mambapy" else scan_backend(scan))
    last = request["layout"] == "channels_last"
    layout = torch.channels_last if last else torch.contiguous_format

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return network(torch.from_numpy(images).contiguous(memory_format=layout)).numpy()

    return run


if __name__ == "__main__":
    main()
