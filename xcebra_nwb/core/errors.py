"""The errors of all commands; each is one line: the problem, its location, and what would help."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.safe_text import LONGEST, printable, shorten


class Exit(IntEnum):
    """Exit codes of all commands."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    INTERRUPTED = 130


class XcebraError(Exception):
    """An error that a user can read.

    Args:
        message: The problem and its location, in one line.
        remedy: What would help, in one line.
    """

    exit_code = Exit.FAILED

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message, self.remedy = one_line(message), one_line(remedy)
        super().__init__(str(self))

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


def one_line(text: object, longest: int = LONGEST) -> str:
    r"""Return a text of a file or a library as one short line without controls.

    Args:
        text: The text.
        longest: Number of characters above which the middle is left out.

    >>> one_line("two\nlines")
    'two lines'
    """
    return shorten(printable(" ".join(str(text).split())), longest)


class Failure(XcebraError):
    """A fault of the software or the machine.

    The command may succeed elsewhere or later.
    """


class UsageError(XcebraError):
    """The command line or the config is wrong."""

    exit_code = Exit.USAGE


class NotInFile(UsageError):
    """The config names an object that a file does not have.

    It is a usage error for a single file, and a refusal of that session among several.
    """

    code = Code.CONFIG_DOES_NOT_FIT


class Refusal(XcebraError):
    """The data cannot answer the question.

    Args:
        code: Reason, one of those in ``docs/reference/refusals.md``.
        message: The problem and its location, in one line.
        remedy: What would help, in one line.

    Attributes:
        files: Files that were written nevertheless and belong to the answer.
    """

    exit_code = Exit.REFUSED

    def __init__(self, code: Code, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.code = code
        self.files: list[Path] = []


def as_refusal(error: Refusal | UsageError) -> Refusal:
    """Return an error of one session among several as a refusal of that session.

    >>> as_refusal(UsageError("a.nwb: no /units", "name another source")).code.value
    'config-does-not-fit'
    """
    code = error.code if isinstance(error, Refusal) else Code.CONFIG_DOES_NOT_FIT
    return Refusal(code, error.message, error.remedy)
