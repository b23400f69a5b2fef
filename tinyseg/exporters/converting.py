"""A child process: turns a network's weights into an artifact."""

import json
import sys
from pathlib import Path
from typing import Any

from tinyseg.children import serve
from tinyseg.exporters.base import Conversion, Details, load_exporter
from tinyseg.runs.records import Contents, ExportOptions


class ConversionError(Exception):
    """What a converter's error comes down to; converters wrap it in pages of advice."""


def main() -> None:
    """Reads a request, as `tinyseg.exporters.convert` writes it, and answers with the details."""
    try:
        serve(_convert(json.load(sys.stdin))._asdict())
    except Exception as error:
        first = _first_cause(error)
        raise ConversionError(f"{type(first).__name__}: {first}") from error


def _convert(request: dict[str, Any]) -> Details:

    import numpy as np
    import torch
    from safetensors.torch import load_file

    from tinyseg.networks import build

    contents = Contents.model_validate(request["contents"])
    torch.manual_seed(request["seed"])  # also for what a user's own network has beside weights
    network = build(
        contents.network,
        in_channels=contents.picture_shape[1],
        classes=len(contents.classes),
        **contents.arguments,
    )
    network.load_state_dict(load_file(request["weights"]))
    torch.manual_seed(0)
    example = torch.rand(contents.picture_shape)
    exporter = load_exporter(request["format"])
    conversion = Conversion(
        contents,
        ExportOptions.model_validate(request["options"]),
        np.load(request["calibration"]) if request["calibration"] else None,
    )
    return exporter.export(network.eval(), example, Path(request["path"]), conversion)


def _first_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


if __name__ == "__main__":
    main()
