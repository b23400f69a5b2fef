"""What all tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real pictures: lgg, lgg-jpeg, dsb2018, ph2; beside the checkout or named."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("TINYSEG_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real pictures at {folder}; name their folder in TINYSEG_TEST_DATA")
    return folder
