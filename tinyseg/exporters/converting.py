"""A child process: turns a network's weights into an artifact."""

import json
import sys
from pathlib import Path

from tinyseg.children import serve
from tinyseg.exporters.base import load_exporter
from tinyseg.runs.records import Contents


def main() -> None:
    """Reads a request, as `tinyseg.exporters.convert` writes it, and answers with the details."""
    request = json.load(sys.stdin)

    import torch
    from safetensors.torch import load_file

    from tinyseg.networks import build

    contents = Contents.model_validate(request["contents"])
    network = build(
        contents.network,
        in_channels=contents.input.shape[1],
        classes=len(contents.classes),
        **contents.arguments,
    )
    network.load_state_dict(load_file(request["weights"]))
    torch.manual_seed(0)
    example = torch.rand(contents.input.shape)
    exporter = load_exporter(request["format"])
    details = exporter.export(network.eval(), example, Path(request["path"]), contents)
    serve(details._asdict())


if __name__ == "__main__":
    main()
