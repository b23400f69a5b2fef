"""What can go wrong for a user, and the exit code of each.

    TinysegError              1
    ├── UsageError            2   an option or argument that cannot be meant
    ├── MissingExtraError     1   a part of tinyseg that is not installed
    ├── ChildError            1   a child process crashed, or took too long
    ├── ParityError           3   an artifact does not do what its run does
    └── PreflightError        3   an export would not come about

Anything else that escapes is a bug of tinyseg.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the command line."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PARITY = 3
    BUDGET = 4
    INTERRUPTED = 130


class TinysegError(Exception):
    """A mistake or a mishap that the user can mend.

    Args:
        message: one sentence that names the thing and says what it should be.
        mend: what to type or change, in a few words; may be empty.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(f"{message} {mend}".strip())
        self.message = message
        self.mend = mend


class UsageError(TinysegError):
    """An option or argument that cannot be meant."""

    exit_code = ExitCode.USAGE


#: Where an extra has to be installed, if not beside all others.
_WHERE = {
    "executorch": ", in an environment without tinyseg[tflite], "
    "whose converter takes no newer typing-extensions than 4.12",
}


def install_command(extra: str) -> str:
    """What to type for an extra of tinyseg, and where."""
    return f"pip install 'tinyseg[{extra}]'{_WHERE.get(extra, '')}"


class MissingExtraError(TinysegError):
    """A part of tinyseg that is not installed.

    Args:
        what: what needs it, such as "export to TFLite".
        package: the import that failed.
        extra: the extra that brings it.
    """

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the package {package}, which is not installed.",
            f"Install it with: {install_command(extra)}",
        )


class ChildError(TinysegError):
    """A child process crashed, took too long, or answered nothing."""


class ParityError(TinysegError):
    """An artifact does not do what its run does."""

    exit_code = ExitCode.PARITY


class PreflightError(TinysegError):
    """An export would not come about."""

    exit_code = ExitCode.PARITY
