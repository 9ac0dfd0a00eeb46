"""The ways a verb can end other than well: each is one line that says what, where, and what would help."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

from xcebra_nwb.core.printable import LONGEST, cut, printable
from xcebra_nwb.core.refusals import Code


class Exit(IntEnum):
    """Exit codes of every verb."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3


class XcebraError(Exception):
    """An error that a user can read.

    Args:
        message: what is wrong and where, in one line.
        remedy: what would help, in one line.
    """

    exit_code = Exit.FAILED

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message, self.remedy = one_line(message), one_line(remedy)
        super().__init__(str(self))

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


def one_line(text: object) -> str:
    """Return a text of a file or a library as one line that is not endless and steers no terminal."""
    return cut(printable(" ".join(str(text).split())), LONGEST)


class Failure(XcebraError):
    """Our fault or the machine's: the same command may succeed elsewhere or later."""


class UsageError(XcebraError):
    """The command line or the config is wrong."""

    exit_code = Exit.USAGE


class NotInFile(UsageError):
    """The config names what a file does not hold: a mistake when it is the only file, a refusal among many."""

    code = Code.CONFIG_DOES_NOT_FIT


class Refusal(XcebraError):
    """The data cannot answer the question that was asked; ``files`` are whole and part of the answer.

    Args:
        code: which of the reasons in ``docs/reference/refusals.md`` it is.
        message: what is wrong and where, in one line.
        remedy: what would help, in one line.
    """

    exit_code = Exit.REFUSED

    def __init__(self, code: Code, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.code = code
        self.files: list[Path] = []


def as_refusal(error: Refusal | UsageError) -> Refusal:
    """Return what keeps one session of several from being worked on as a refusal of that session."""
    code = error.code if isinstance(error, Refusal) else Code.CONFIG_DOES_NOT_FIT
    return Refusal(code, error.message, error.remedy)
