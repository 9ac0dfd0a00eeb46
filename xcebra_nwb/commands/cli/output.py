"""Lines that the command line prints: results, log records, warnings and errors."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from xcebra_nwb.core.errors import Exit, Refusal, XcebraError, one_line
from xcebra_nwb.core.files import NO_ROOM, json_text, without_nan
from xcebra_nwb.core.safe_text import printable, printable_lines


def report_error(error: Exception) -> int:
    """Print an error as one line and return its exit code."""
    if isinstance(error, XcebraError):
        word = {Exit.REFUSED: "refused", Exit.USAGE: "error", Exit.FAILED: "failed"}.get(error.exit_code, "failed")
        code = f" [{error.code}]" if isinstance(error, Refusal) else ""
        _print_error(f"{word}: {error}{code}")
        return int(error.exit_code)
    explain = getattr(error, "format_message", None)  # an error of the parser: typer has no public name for its class
    if explain is not None:
        _print_error(f"error: {explain()} (see xcebra-nwb --help)")
        return int(Exit.USAGE)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # the latter is torch's
        hint = "fewer units by neural.where, a larger time.bin_width, or a machine with more memory"
        _print_error(f"failed: out of memory: {error} ({hint})")
        return int(Exit.FAILED)
    if isinstance(error, OSError) and (error.filename or error.errno in NO_ROOM):
        where = f"{_name(error.filename)}: " if error.filename else ""
        hint = (
            "make room there, and run it again"
            if error.errno in NO_ROOM
            else "check its name, its folder and its permissions"
        )
        _print_error(f"failed: {where}{error.strerror} ({hint})")
        return int(Exit.FAILED)
    _print_error(f"failed: unexpected {type(error).__name__}: {error} (--debug shows where; please report it)")
    return int(Exit.FAILED)


def _name(file: object) -> str:
    return os.fsdecode(file) if isinstance(file, bytes) else str(file)


def _print_error(text: str) -> None:
    print(f"xcebra-nwb: {one_line(text)}", file=sys.stderr)


def print_text(text: object, stream: TextIO | None = None) -> None:
    """Print text without control characters, by default on standard output."""
    print(printable_lines(str(text)), file=stream or sys.stdout)


def print_json(content: Any) -> None:
    """Print content as JSON on the standard output; null stands for NaN and infinities."""
    print_text(json_text(without_nan(content)))


@contextlib.contextmanager
def json_alone(as_json: bool) -> Iterator[None]:
    """Send to the standard error what libraries print, so that JSON stands alone on the standard output.

    Args:
        as_json: Whether JSON is asked for; else nothing changes.
    """
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        yield


class StandardError(logging.StreamHandler[TextIO]):
    """Writes log records on what is the standard error stream at that moment.

    A display on a terminal takes its place for a while and puts the lines above itself.
    """

    def __init__(self) -> None:
        """Keep no stream."""
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """The standard error stream of now."""
        return sys.stderr


class OneLineFormatter(logging.Formatter):
    """Formats each log record as one line.

    A quoted text of a file can then not look like another record.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return printable(super().formatMessage(record))


def format_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Return a warning of a library as one line.

    Args:
        message: The warning, which may quote a file.
        category: Class of the warning.
        filename: File of the code that warned.
        lineno: Its line.
        line: Text of that line, which is not shown.
    """
    return printable(f"{filename}:{lineno}: {category.__name__}: {' '.join(str(message).split())}") + "\n"
