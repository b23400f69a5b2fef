"""A child process: finds what a network's stages give among an artifact's intermediate values."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyseg.children import serve
from tinyseg.exporters.base import Inspectable, load_exporter
from tinyseg.exporters.parity import share_of_range


def main() -> None:
    """Reads a request, as `tinyseg.exporters.explain` writes it; answers with nearest values."""
    request = json.load(sys.stdin)
    exporter, folder = load_exporter(request["format"]), Path(request["folder"])
    assert isinstance(exporter, Inspectable)
    values = exporter.values(Path(request["artifact"]), np.load(folder / "inputs.npy"))
    stages = (np.load(folder / f"{number}.npy") for number in range(request["stages"]))
    serve({"nearest": [_nearest(stage, values) for stage in stages]})


def _nearest(
    stage: NDArray[np.float32], values: Mapping[str, NDArray[np.float32]]
) -> dict[str, Any]:
    """The value that is nearest to a stage's output, and its difference as a share of the range."""
    layouts = [layout.ravel() for layout in _layouts(stage)]
    found = [
        (min(share_of_range(layout, value.ravel()) for layout in layouts), name)
        for name, value in values.items()
        if value.size == stage.size
    ]
    difference, name = min(found, default=(None, None))
    return {"difference": difference, "value": name}


def _layouts(stage: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """The same values with channels where a file may have them: second, last, or where they are."""
    yield stage
    if stage.ndim > 2:
        yield np.moveaxis(stage, 1, -1)
        yield np.moveaxis(stage, -1, 1)


if __name__ == "__main__":
    main()
