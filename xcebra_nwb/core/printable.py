"""Text of strangers on its way to a terminal, a log, a table or a page: what would steer them is shown instead."""

from __future__ import annotations

import json
import unicodedata

STEERS = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, directions, lone surrogates, line and paragraph separators
JOINERS = {"\u200c", "\u200d"}  # Persian, Indian scripts and emoji are spelled with them
LONGEST = 2000  # characters of a line that says what is wrong


def printable(text: object) -> str:
    r"""Return ``text`` as one line that steers nothing: a control character becomes its escape, such as ``\n``."""
    line = str(text)
    if line.isprintable():
        return line
    return "".join(json.dumps(letter)[1:-1] if _steers(letter) else letter for letter in line)


def printable_lines(text: str) -> str:
    """Return ``text`` as :func:`printable` does, but with its line breaks."""
    return "\n".join(map(printable, text.split("\n")))


def is_printable(text: str) -> bool:
    """Return whether ``text`` is one line that steers nothing, and can be written as UTF-8."""
    return text.isprintable() or not any(map(_steers, text))


def cut(text: str, longest: int) -> str:
    """Return ``text``, without its middle where it has more than ``longest`` characters."""
    if len(text) <= longest:
        return text
    tail = longest // 3
    return f"{text[: longest - 1 - tail]}…{text[-tail:]}"


def _steers(letter: str) -> bool:
    return unicodedata.category(letter) in STEERS and letter not in JOINERS
