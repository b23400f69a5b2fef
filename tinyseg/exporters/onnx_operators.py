"""Which of PyTorch's operators have a translation to ONNX.

PyTorch says so only in a report that a whole conversion writes; its registry is asked here, which
is not public.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tinyseg.exporters.traced import calls

if TYPE_CHECKING:
    from torch import fx
    from torch.export import ExportedProgram


def untranslated(
    program: "ExportedProgram", opset: int, translations: Mapping[Any, Callable[..., Any]]
) -> "Iterator[tuple[fx.Node, str]]":
    """The operators of a traced network that ONNX has no translation for, after decompositions.

    Args:
        program: what ``torch.export`` gives.
        opset: version of the operator set.
        translations: of one's own, by operator.
    """
    from torch.onnx._internal.exporter import _dispatching, _fx_passes, _registration

    registry = _registration.ONNXRegistry.from_torchlib(opset)
    for operator, translation in translations.items():
        registry.register_op(operator, translation)
    decomposed = _fx_passes.decompose_with_registry(program, registry)
    _fx_passes.remove_assertion_nodes(decomposed.graph_module)
    for node in calls(decomposed):
        found, reason = _dispatching.dispatch(node, registry)
        if found is None:
            yield node, f"PyTorch has no translation of it to ONNX: {reason}."
