"""A folder of drawn pictures that any network learns in seconds."""

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 32


def draw_discs(folder: Path, count: int = 20) -> Path:
    """Writes ``images/`` and ``masks/`` of bright discs on noise."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        y, x = random.integers(8, SIZE - 8, 2)
        disc = (rows - y) ** 2 + (columns - x) ** 2 < random.integers(4, 8) ** 2
        image = random.integers(0, 120, (SIZE, SIZE, 3)) + 100 * disc[..., None]
        Image.fromarray(image.astype(np.uint8)).save(folder / "images" / f"{number:02}.png")
        Image.fromarray(disc.astype(np.uint8) * 255).save(folder / "masks" / f"{number:02}.png")
    return folder
