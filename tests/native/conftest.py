"""What tests of the kernels share."""

from collections.abc import Iterator

import pytest
import torch

from tinyseg import native

LEVELS = {"base": 0, "avx2": 1, "avx512": 2}


@pytest.fixture(params=LEVELS)
def width(request) -> Iterator[str]:
    """Runs a test with vectors of each width; those that this processor lacks are skipped."""
    library, level = native.library(), LEVELS[request.param]
    if library is None:
        pytest.skip(str(native.unavailable()))
    before = library.tinyseg_level()
    if library.tinyseg_use_level(level) != level:
        library.tinyseg_use_level(before)
        pytest.skip(f"this processor or build has no {request.param}")
    yield request.param
    library.tinyseg_use_level(before)


@pytest.fixture
def threads() -> Iterator[None]:
    """Sets the number of threads back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
