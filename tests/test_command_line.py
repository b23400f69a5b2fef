"""The command line as a newcomer meets it."""

import errno
import json
import subprocess
import sys
from collections.abc import Sequence

import pytest
import typer

from tinyseg.cli.main import Commands, app

COMMANDS = [
    "train", "evaluate", "predict", "count", "export", "profile", "compare", "models", "demo",
    "doctor", "import",
    "data", "data describe", "data check", "data fetch", "data make",
]  # fmt: skip

HEAVY = {"torch", "lightning", "kornia", "onnx", "onnxruntime", "matplotlib", "scipy", "fvcore"}

SEE_IMPORTS = """
import sys
from tinyseg.cli.main import app
for arguments in {every}:
    try:
        app([*arguments, "--help"])
    except SystemExit as ended:
        assert ended.code == 0, arguments
print("HEAVY", {heavy} & set(sys.modules))
"""


def tinyseg(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tinyseg", *arguments], capture_output=True, text=True, check=False
    )


def test_help_of_every_command_brings_nothing_heavy():
    every: Sequence[list[str]] = [[], *(command.split() for command in COMMANDS)]
    program = SEE_IMPORTS.format(every=every, heavy=HEAVY)
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines()[-1] == "HEAVY set()"


def test_every_command_is_listed_here():
    named = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert named | {group.name for group in app.registered_groups} == {
        command for command in COMMANDS if " " not in command
    }


@pytest.mark.parametrize("command", [c for c in COMMANDS if c != "data"])
def test_every_help_ends_with_an_example(command):
    text = " ".join(tinyseg(*command.split(), "--help").stdout.split())
    assert f"Example: tinyseg {command}" in text


def test_an_error_in_tidying_up_after_an_interruption_is_no_bug(capsys):
    program = typer.Typer(cls=Commands)

    @program.command()
    def interrupted() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise OSError("Directory not empty")

    @program.command()
    def broken() -> None:
        raise OSError("Directory not empty")

    with pytest.raises(SystemExit) as ended:
        program(["interrupted"])
    assert (ended.value.code, capsys.readouterr().err) == (130, "Interrupted.\n")
    with pytest.raises(SystemExit) as ended:
        program(["broken"])
    assert ended.value.code == 1
    assert "This is a bug in tinyseg: OSError" in capsys.readouterr().err


def test_json_is_one_document_on_standard_output():
    run = tinyseg("count", "ul-vm-unet", "--json")
    document = json.loads(run.stdout)
    assert (document["schema"], document["parameters"]) == (1, 49_457)
    assert document["macs"]["fvcore"] == 72_876_864


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("count", "ul-vmunet"), 2, "Did you mean 'ul-vm-unet'?"),
        (("count", "unet", "--set", "width=3"), 2, "no argument called 'width'"),
        (("count", "unet", "--input", "256"), 2, "batch x channels x height x width"),
        (("evaluate", "no-such-run"), 2, "no-such-run"),
        (("train", "--model", "unett", "--data", "phantom"), 2, "Did you mean 'unet'?"),
        (("train", "--model", "unet", "--data", "no/such/folder"), 1, "no/such/folder"),
        (("export", "unet", "--format", "tflight"), 2, "Did you mean 'tflite'?"),
        (("profile", "unet", "--device", "cpux"), 2, "Did you mean 'cpu'?"),
    ],
)  # fmt: skip
def test_mistakes_get_one_sentence(arguments, code, sentence):
    run = tinyseg(*arguments)
    message = " ".join(run.stderr.split())
    assert sentence in message
    assert (run.returncode, run.stdout) == (code, "")
    assert "Traceback" not in run.stderr


def test_nobody_reading_on_is_no_bug(capsys):
    program = typer.Typer(cls=Commands)

    @program.command()
    def cut_off() -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    program.command()(lambda: None)  # makes the other a command of its own
    with pytest.raises(SystemExit) as ended:
        program(["cut-off"])
    assert (ended.value.code, capsys.readouterr().err) == (1, "")
