"""Loops that a converter would write out, step by step: seen before it starts."""

from collections import Counter
from collections.abc import Mapping
from inspect import currentframe
from typing import TYPE_CHECKING, Any, NamedTuple

from tinyseg.exporters.places import Place, calling, named, source

if TYPE_CHECKING:
    from torch import Tensor, nn

#: The largest network that comes with tinyseg has 1,500; at 9,000, conversion took minutes and the
#: file was 30 times as large as with a scan.
MOST_OPERATORS = 5000
#: A deep network's lines run once a layer.
MOST_CALLS = 200


class Counted(NamedTuple):
    """What a network's inference is made of.

    Attributes:
        operators: of PyTorch, each selective scan one of them.
        busiest: the place in the network that most of them come from.
        calls: operators from there.
    """

    operators: int
    busiest: Place
    calls: int

    @property
    def unrolled(self) -> bool:
        """Whether a loop makes it too large to convert."""
        return self.operators > MOST_OPERATORS and self.calls > MOST_CALLS

    @property
    def reason(self) -> str:
        """Why it is refused, as a sentence."""
        return (
            f"a loop would be written out as about {self.operators:,} operators, of which "
            f"{self.calls:,} come from this line; {MOST_OPERATORS:,} are the most."
        )


def count_operators(module: "nn.Module", example: "Tensor") -> Counted | None:
    """Runs a network once and counts its operators by the line that they come from.

    Args:
        module: the network, ready for inference.
        example: an input, (1, channels, height, width).

    Returns:
        The counts; None of a network that cannot be watched, as one that compiles itself.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    from tinyseg.scan import scan_form

    paths = {id(each): path for path, each in module.named_modules()}
    found: Counter[tuple[str | None, str, int]] = Counter()

    class Counting(TorchDispatchMode):
        supports_higher_order_operators = True

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
        ) -> Any:
            here = currentframe()
            found[calling(here and here.f_back, paths)] += 1
            return func(*args, **(kwargs or {}))

    try:
        with scan_form("operator"), torch.no_grad(), Counting():
            module(example)
    except Exception:  # whatever it is, the converter may take it
        return None
    ((path, file, line), calls) = found.most_common(1)[0]
    place = Place() if path is None else Place(None, named(path), source(file, line))
    return Counted(found.total(), place, calls)
