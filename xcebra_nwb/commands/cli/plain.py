"""What the command line prints: text of files, archives and libraries steers no terminal, here or in a log."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

from xcebra_nwb.core.printable import printable, printable_lines


def out(text: object, stream: TextIO | None = None) -> None:
    """Print lines; by default on the standard output stream."""
    print(printable_lines(str(text)), file=stream or sys.stdout)


class Plain(logging.Formatter):
    """A message is one line, whatever it quotes: nobody writes a line that looks like another's."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return printable(super().formatMessage(record))


def plain_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Return a warning of a library, which may quote a file, in one line."""
    return printable(f"{filename}:{lineno}: {category.__name__}: {' '.join(str(message).split())}") + "\n"
