"""A child process: what would stop a converter, seen before it starts."""

import json
import logging
import sys
import warnings
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from tinyseg.children import serve
from tinyseg.exporters.base import Exporter, load_exporter
from tinyseg.exporters.converting import asked, summary
from tinyseg.exporters.places import place_of_error, place_of_node
from tinyseg.exporters.traced import Traced
from tinyseg.exporters.unrolled import count_operators
from tinyseg.runs.records import ExportOptions, Foreseen
from tinyseg.scan import Form, scan_form

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

_GUARD = "GuardOnDataDependentSymNode"
_DECIDES = (
    "it decides by the values of a tensor, and a traced network takes one way for all: "
    "torch.where chooses between two values without a decision."
)


def main() -> None:
    """Reads a request, as `tinyseg.exporters.preflight` writes it; answers with the problems."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)  # PyTorch's tracing warns at length
    request = json.load(sys.stdin)
    conversion, network, example = asked(request)
    exporter = load_exporter(request["format"])
    counted = count_operators(network, example)
    if counted and counted.unrolled:
        _, module, source = counted.busiest
        problems = [Foreseen(kind="unrolled", reason=counted.reason, module=module, source=source)]
    else:
        problems = _problems(network, example, exporter, conversion.options)
    serve(
        {
            "operators": counted and counted.operators,
            "problems": [problem.model_dump(mode="json") for problem in problems],
        }
    )


def _problems(
    network: "nn.Module", example: "Tensor", exporter: Exporter, options: ExportOptions
) -> list[Foreseen]:
    if refusal := exporter.supports(network):
        return [Foreseen(kind="unsupported", reason=refusal)]
    known = isinstance(exporter, Traced)
    # Of one that does not tell: portable operators, which everything that traces can take.
    form = exporter.scan_form(options) if known else "g8"
    try:
        program = _trace(network, example, form, options, strict=False)
    except Exception as error:
        program = None
        if known and exporter.also_strict:
            with suppress(Exception):
                program = _trace(network, example, form, options, strict=True)
        if program is None:
            _, module, source = place_of_error(error, network)
            reason = _DECIDES if type(error).__name__ == _GUARD else summary(error)
            return [Foreseen(kind="traced", reason=reason, module=module, source=source)]
    found = Counter(
        (place_of_node(node), reason)
        for node, reason in (exporter.unknown_operators(program, options) if known else [])
    )
    return [
        Foreseen(
            kind="operator",
            reason=reason,
            operator=place.operator,
            module=place.module,
            source=place.source,
            calls=calls,
        )
        for (place, reason), calls in found.items()
    ]


def _trace(
    network: "nn.Module", example: "Tensor", form: Form, options: ExportOptions, *, strict: bool
) -> "ExportedProgram":
    import torch
    from torch.export import Dim

    free = None
    if options.dynamic:
        example = torch.cat([example, example])  # a batch of one would be taken for a constant
        free = ({0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC},)
    with scan_form(form), torch.no_grad():
        return torch.export.export(network, (example,), dynamic_shapes=free, strict=strict)


if __name__ == "__main__":
    main()
