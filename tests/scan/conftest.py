"""What the tests of all backends share."""

import pytest

from tests.scan.drawing import draw
from tinyseg.scan import BACKENDS
from tinyseg.scan.backend import Backend


def why_not(backend: Backend) -> str | None:
    """Why a backend cannot be tested on this machine's processor; None where it can."""
    if reason := backend.refuses(draw()):
        return f"{backend.name} {reason}"
    return backend.unavailable()


HERE = [name for name, backend in BACKENDS.items() if not why_not(backend)]


@pytest.fixture(params=HERE)
def backend(request) -> Backend:
    """Every backend that works on this machine's processor."""
    return BACKENDS[request.param]
