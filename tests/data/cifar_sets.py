"""Small sets in the layouts of CIFAR-10 and CIFAR-100, written as Python 2 or Python 3 would."""

import pickle
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NAMES = ["plane", "car", "bird"]


def pixels(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """(count, 3072)."""
    return np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)


def write_cifar10(
    folder: Path, rows: int = 4, names: list[str] = NAMES, protocol: int | None = None
) -> Path:
    """CIFAR-10's layout, of Python 2 where no protocol is named; label n of every third picture."""
    for number in range(6):
        file = "test_batch" if number == 5 else f"data_batch_{number + 1}"
        labels = [row % len(names) for row in range(rows)]
        write(folder / file, {"data": pixels(rows, number), "labels": labels}, protocol)
    write(folder / "batches.meta", {"label_names": names, "num_vis": 3072}, protocol)
    return folder


def write_cifar100(
    folder: Path,
    train: dict[str, object] | None = None,
    test: dict[str, object] | None = None,
    names: list[str] = NAMES,
) -> Path:
    """CIFAR-100's layout; files may be given whole."""
    write(folder / "train", train or {"data": pixels(6), "fine_labels": [0, 1, 2] * 2})
    write(folder / "test", test or {"data": pixels(3, 1), "fine_labels": [0, 1, 2]})
    write(folder / "meta", {"fine_label_names": names})
    return folder


def write(path: Path, content: object, protocol: int | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x80\x02" + _python2(content) + b"."
        if protocol is None
        else pickle.dumps(content, protocol)
    )


def _python2(value: object) -> bytes:
    """What Python 2 wrote for a value at protocol 2, where texts were bytes."""
    if isinstance(value, dict):
        items = b"".join(_python2(key) + _python2(each) for key, each in value.items())
        return b"}(" + items + b"u"
    if isinstance(value, list):
        return b"](" + b"".join(map(_python2, value)) + b"e"
    if isinstance(value, str):
        return b"U" + bytes([len(value)]) + value.encode()
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    assert isinstance(value, np.ndarray)
    raw = value.tobytes()
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01" + _python2(value.shape[0]) + _python2(value.shape[1]) + b"\x86"
        b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89T" + struct.pack("<i", len(raw)) + raw + b"tb"
    )
