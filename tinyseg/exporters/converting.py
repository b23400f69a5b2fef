"""A child process: turns a network's weights into an artifact."""

import json
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyseg.children import serve
from tinyseg.exporters.base import Conversion, load_exporter
from tinyseg.exporters.places import Place, chain, place_of_error
from tinyseg.exporters.unrolled import count_operators
from tinyseg.runs.records import Contents, ExportOptions

if TYPE_CHECKING:
    from torch import Tensor, nn

_LONGEST = 400  # characters of a converter's error; converters wrap it in pages of advice
_TAIL = 8000  # characters of its traceback that --verbose shows


def main() -> None:
    """Reads a request, as `tinyseg.exporters.convert` writes it.

    Answers with the details of the file, or with ``failed``: where, and why.
    """
    request = json.load(sys.stdin)
    conversion, network, example = asked(request)
    counted = count_operators(network, example)
    if counted and counted.unrolled:
        serve(failed(counted.busiest, counted.reason))
        return
    exporter = load_exporter(request["format"])
    try:
        details = exporter.export(network, example, Path(request["path"]), conversion)
    except Exception as error:
        serve(failed(place_of_error(error, network), summary(error), traceback.format_exc()))
    else:
        serve(details._asdict())


def asked(request: dict[str, Any]) -> "tuple[Conversion, nn.Module, Tensor]":
    """What is asked for, with the network ready for inference and an input for it."""
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
    options = ExportOptions.model_validate(request["options"])
    drawn, shared = request["calibration"], request["shared"]
    conversion = Conversion(
        contents, options, np.load(drawn) if drawn else None, Path(shared) if shared else None
    )
    return conversion, network.eval(), example


def summary(error: BaseException) -> str:
    """What an error comes down to: the first line of its first cause."""
    first = chain(error)[0]
    line = " ".join((str(first).strip().splitlines() or [""])[0].split())
    shortened = line if len(line) <= _LONGEST else line[:_LONGEST] + " …"
    return f"{type(first).__name__}: {shortened}" if line else type(first).__name__


def failed(place: Place, reason: str, trace: str = "") -> dict[str, Any]:
    """An answer that says where and why it failed."""
    return {"failed": {"place": list(place), "reason": reason, "trace": trace[-_TAIL:]}}


if __name__ == "__main__":
    main()
