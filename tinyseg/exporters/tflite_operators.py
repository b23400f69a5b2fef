"""Which of PyTorch's operators litert-torch lowers; its registry is asked, which is not public."""

import operator
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tinyseg.exporters.traced import calls

if TYPE_CHECKING:
    from torch import fx
    from torch.export import ExportedProgram

_COMPLEX = "it gives complex numbers, which TFLite does not have."


def not_lowered(program: "ExportedProgram") -> "Iterator[tuple[fx.Node, str]]":
    """The operators of a traced network that litert-torch does not lower, after decompositions.

    Args:
        program: what ``torch.export`` gives.
    """
    from litert_torch import fx_infra
    from litert_torch.backend import lowerings
    from torch import Tensor

    tables = (fx_infra.decomp.pre_convert_decomp(), fx_infra.decomp.pre_lower_decomp())
    for table in tables:
        program = fx_infra.safe_run_decompositions(program, table, can_skip=False)
    for node in calls(program):
        value = node.meta.get("val")
        if isinstance(value, Tensor) and value.is_complex():
            yield node, _COMPLEX
        elif node.target is not operator.getitem and lowerings.lookup(node.target) is None:
            yield node, "litert-torch has no lowering of it to TFLite."
