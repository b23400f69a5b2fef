"""Child of `test_mamba_ssm`: what this process thinks of the mamba-ssm it can import."""

import json
import sys
import warnings

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from tinyseg.children import serve
from tinyseg.scan.arguments import Arguments
from tinyseg.scan.backends import BACKENDS, choose


def on_a_device() -> Arguments:
    """Arguments on a CUDA device that need not be there; nothing can be computed of them."""
    with FakeTensorMode():
        x, B = torch.empty(1, 4, 3, device="cuda"), torch.empty(1, 4, 2, device="cuda")
        return Arguments(x, x, torch.empty(3, 2, device="cuda"), B, B)


def chosen_and_warned(arguments: Arguments) -> tuple[str, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        chosen = choose("auto", arguments)
    return chosen.name, [str(w.message) for w in caught if w.category is UserWarning]


if __name__ == "__main__":
    sys.path.insert(0, json.load(sys.stdin)["folder"])
    x = torch.randn(1, 4, 3)
    on_processor = chosen_and_warned(Arguments(x, x, -torch.rand(3, 2), x[..., :2], x[..., 1:]))
    imported_for_the_processor = "selective_scan_cuda" in sys.modules
    first, second = chosen_and_warned(on_a_device()), chosen_and_warned(on_a_device())
    serve(
        {
            "unavailable": BACKENDS["cuda"].unavailable(),
            "broken": BACKENDS["cuda"].broken(),
            "on_processor": [*on_processor, imported_for_the_processor],
            "first": first,
            "second": second,
        }
    )
