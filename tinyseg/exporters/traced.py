"""What an exporter tells about a network before it converts it, if it converts what is traced."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from tinyseg.runs.records import ExportOptions

if TYPE_CHECKING:
    from torch import fx
    from torch.export import ExportedProgram

    from tinyseg.scan import Form


@runtime_checkable
class Traced(Protocol):
    """An exporter that converts what ``torch.export`` traces; none has to be.

    ``tinyseg export --preflight`` asks it, in a child process.

    Attributes:
        also_strict: whether it tries PyTorch's strict mode where tracing fails without.
    """

    also_strict: ClassVar[bool]

    def scan_form(self, options: ExportOptions) -> "Form":
        """The form that selective scans take for it."""
        ...

    def unknown_operators(
        self, program: "ExportedProgram", options: ExportOptions
    ) -> "Iterator[tuple[fx.Node, str]]":
        """Operators of a traced network that it has no translation for, each with a sentence."""
        ...


def calls(program: "ExportedProgram") -> "Iterator[fx.Node]":
    """Every call of an operator in a traced network, those inside control flow included."""
    from torch import fx

    for graph in program.graph_module.modules():
        if isinstance(graph, fx.GraphModule):
            yield from (node for node in graph.graph.nodes if node.op == "call_function")
