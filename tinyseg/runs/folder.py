"""The run folder: one training and everything made from it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import filelock
from pydantic import TypeAdapter, ValidationError

from tinyseg.errors import TinysegError, UsageError
from tinyseg.runs.files import write_text
from tinyseg.runs.records import (
    CountRecord,
    Document,
    EvaluationRecord,
    FailureRecord,
    Manifest,
    ProfileDocument,
    RunRecord,
    SplitRecord,
)

_D = TypeVar("_D")
_FAILURE = ".failure.json"
_EVALUATION: TypeAdapter[EvaluationRecord] = TypeAdapter(EvaluationRecord)


class Run:
    """A run folder.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, root: Path, stem: str, name: str | None = None) -> "Run":
        """Makes a new folder, ``name`` or the first free ``stem-N``; two processes never share one.

        Raises:
            UsageError: a folder called ``name`` exists already.
        """
        root.mkdir(parents=True, exist_ok=True)
        if name is not None:
            try:
                (root / name).mkdir()
            except FileExistsError:
                raise UsageError(
                    f"The run {root / name} exists already.",
                    "Choose another --name, or go on with it by --resume.",
                ) from None
            return cls(root / name)
        number = 1
        while True:
            try:
                (root / f"{stem}-{number}").mkdir()
            except FileExistsError:
                number += 1
            else:
                return cls(root / f"{stem}-{number}")

    @classmethod
    def open(cls, name: str | Path, root: Path = Path("runs")) -> "Run":
        """Opens a run by its folder, or by its name below ``root``.

        Raises:
            TinysegError: there is no such run.
        """
        for path in (Path(name), root / name):
            if (path / "run.json").is_file():
                return cls(path)
        raise TinysegError(
            f"There is no run '{name}' (a folder with a run.json), nor one in '{root}'.",
            "tinyseg compare lists the runs of a folder.",
        )

    @classmethod
    def all(cls, root: Path) -> list["Run"]:
        """Every run below a folder, by name."""
        return [cls(path.parent) for path in sorted(root.glob("*/run.json"))]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def best_weights(self) -> Path:
        """Weights of the best epoch."""
        return self.path / "weights" / "best.safetensors"

    @property
    def last_checkpoint(self) -> Path:
        """Lightning's checkpoint of the last whole epoch, for ``--resume`` alone."""
        return self.path / "weights" / "last.ckpt"

    @property
    def encoder_start(self) -> Path:
        """What the encoder starts from, where that came from a file; gone after the training."""
        return self.path / "weights" / "encoder-start.safetensors"

    @property
    def pictures(self) -> Path:
        """Where pictures go."""
        return self.path / "pictures"

    @property
    def artifacts(self) -> Path:
        """Where exported files and their manifests go."""
        return self.path / "artifacts"

    @property
    def record(self) -> RunRecord:
        """``run.json``."""
        return self._read("run.json", RunRecord)

    @property
    def split(self) -> SplitRecord:
        """``split.json``."""
        return self._read("split.json", SplitRecord)

    @property
    def evaluation(self) -> EvaluationRecord | None:
        """``evaluation.json``, if the run was evaluated."""
        return self._read_if_there("evaluation.json", _EVALUATION)

    @property
    def count(self) -> CountRecord | None:
        """``count.json``, if it was written."""
        return self._read_if_there("count.json", CountRecord)

    @property
    def manifests(self) -> list[Manifest]:
        """Manifests of all artifacts, those that failed parity included, by name."""
        return [
            self._read(str(path.relative_to(self.path)), Manifest)
            for path in sorted(self.artifacts.glob("*.json"))
            if not path.name.endswith(_FAILURE)
        ]

    @property
    def failures(self) -> list[FailureRecord]:
        """Formats whose last export failed, by name."""
        return [
            self._read(str(path.relative_to(self.path)), FailureRecord)
            for path in sorted(self.artifacts.glob(f"*{_FAILURE}"))
        ]

    @property
    def profiles(self) -> list[ProfileDocument]:
        """All profiles, by file name."""
        return [
            self._read(str(path.relative_to(self.path)), ProfileDocument)
            for path in sorted((self.path / "profiles").glob("*.json"))
        ]

    def write(self, name: str, document: Document) -> Path:
        """Writes a document into the folder, whole or not at all."""
        path = self.path / name
        write_text(path, document.to_json())
        return path

    def update(self, **changes: Any) -> None:
        """Writes ``run.json`` anew with some of its fields changed."""
        self.write("run.json", self.record.model_copy(update=changes))

    def log(self, line: str) -> None:
        """Adds a line to ``log.txt``."""
        with (self.path / "log.txt").open("a", encoding="utf-8") as file:
            file.write(line.rstrip() + "\n")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the run for this process; the system frees it when the process dies.

        Raises:
            TinysegError: another living process holds it.
        """
        path = self.path / ".lock"
        lock = filelock.FileLock(path, timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            holder = (self.path / ".holder").read_text(encoding="utf-8").strip()
            raise TinysegError(
                f"The run {self.path} is being written by another process ({holder}).",
                "Wait for it, or end it.",
            ) from None
        try:
            write_text(self.path / ".holder", f"process {os.getpid()}\n")
            yield
        finally:
            lock.release()

    def _read_if_there(self, name: str, kind: type[_D] | TypeAdapter[_D]) -> _D | None:
        return self._read(name, kind) if (self.path / name).is_file() else None

    def _read(self, name: str, kind: type[_D] | TypeAdapter[_D]) -> _D:
        path = self.path / name
        try:
            form = kind if isinstance(kind, TypeAdapter) else TypeAdapter(kind)
            return form.validate_json(path.read_bytes())
        except FileNotFoundError:
            raise TinysegError(f"The run {self.path} has no {name}.") from None
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(step) for step in problem["loc"]) or "the file"
            raise TinysegError(
                f"{path} is not what this version of tinyseg reads: {where}: {problem['msg']}.",
            ) from None
