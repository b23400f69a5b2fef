"""A child process: runs an artifact in its real runtime over a stack of inputs."""

import json
import sys
from pathlib import Path

import numpy as np

from tinyseg.children import serve
from tinyseg.exporters.base import RunsTwice, load_exporter


def main() -> None:
    """Reads a request, as `tinyseg.exporters.runtime` writes it; leaves the logits in a file.

    An artifact takes one picture at a time, so every picture is an inference of its own.
    """
    request = json.load(sys.stdin)
    exporter = load_exporter(request["format"])
    session = exporter.session
    if request["second"]:
        assert isinstance(exporter, RunsTwice)
        session = exporter.second_session
    run = session(Path(request["artifact"]), request["threads"])
    inputs = np.load(request["inputs"], mmap_mode="r")
    outputs = [run(np.ascontiguousarray(inputs[n : n + 1])) for n in range(len(inputs))]
    np.save(request["outputs"], np.concatenate(outputs))
    serve({"pictures": len(outputs)})


if __name__ == "__main__":
    main()
