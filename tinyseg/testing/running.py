"""A child process: runs a session of an exporter, picture by picture, and tells what it gives."""

import json
import sys
from pathlib import Path

import numpy as np

from tinyseg.children import serve
from tinyseg.exporters.base import load_exporter


def main() -> None:
    """Answers with the first picture's logits, and whether later pictures left them alone."""
    request = json.load(sys.stdin)
    exporter = load_exporter(request["format"])
    run = exporter.session(Path(request["artifact"]), request["threads"])
    pictures = np.load(request["inputs"])
    first = run(pictures[:1])
    before = first.copy()
    for picture in pictures[1:]:
        run(picture[None])
    serve(
        {
            "type": first.dtype.name,
            "shape": first.shape,
            "first": before.astype(float).ravel().tolist(),
            "kept": bool(np.array_equal(first, before, equal_nan=True)),
        }
    )


if __name__ == "__main__":
    main()
