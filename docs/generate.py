"""Writes the pages that are made from code; ``--check`` only says whether they are current.

    python docs/generate.py [--check]

``docs/commands.md`` comes from every command's help, ``docs/schemas.md`` from the classes in
``tinyseg.runs.records``, the tables of ``docs/export.md`` from the exporters and from what
``docs/export_matrix.py`` keeps.
"""

import difflib
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import export_page

from tinyseg.runs import records

DOCS = Path(__file__).parent
COMMANDS = [
    "train", "evaluate", "predict", "count", "export", "profile", "compare", "models", "demo",
    "doctor", "import",
    "data describe", "data check", "data fetch", "data make",
]  # fmt: skip


def commands() -> str:
    """Every command's help as a page."""
    parts = ["# Commands\n\nMade from `--help` by `python docs/generate.py`.\n"]
    for command in ["", *COMMANDS]:
        title = f"tinyseg {command}".strip()
        parts.append(f"## {title}\n\n```text\n{_help(command)}\n```\n")
    return "\n".join(parts)


def _help(command: str) -> str:
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    run = subprocess.run(
        [sys.executable, "-m", "tinyseg", *command.split(), "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return "\n".join(line.rstrip() for line in run.stdout.strip("\n").splitlines())


def schemas() -> str:
    """The JSON Schema of every document as a page."""
    parts = [
        "# Schemas\n\nThe JSON documents that tinyseg writes and prints, as JSON Schema, made from "
        "`tinyseg.runs.records` by `python docs/generate.py`. What the figures mean is in "
        "[measurements](measurements.md).\n"
    ]
    documents = [
        member
        for _, member in inspect.getmembers(records, inspect.isclass)
        if issubclass(member, records.Document) and member is not records.Document
    ]
    for document in documents:
        summary = inspect.getdoc(document) or ""
        schema = json.dumps(document.model_json_schema(by_alias=True), indent=2)
        parts.append(f"## {document.__name__}\n\n{summary}\n\n```json\n{schema}\n```\n")
    return "\n".join(parts)


def main() -> int:
    """Writes or checks the pages; 1 when one is stale."""
    stale = 0
    made = {"commands.md": commands(), "schemas.md": schemas(), "export.md": export_page.page()}
    for name, text in made.items():
        path = DOCS / name
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif old != text:
            stale += 1
            changes = difflib.unified_diff(old.splitlines(), text.splitlines(), lineterm="", n=0)
            print(f"docs/{name} is stale; run: make docs", *list(changes)[:20], sep="\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
