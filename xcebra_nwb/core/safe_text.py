"""Text, paths and addresses of others, made safe to show in a terminal, a log, a table or a page."""

from __future__ import annotations

import json
import re
import unicodedata
from urllib.parse import urlsplit, urlunsplit

WEB = re.compile(r"https?://", re.IGNORECASE)
SECRET = re.compile(r"(?<=://)[^/@\s]*@|\?\S*")
REMEDY = "rename the file or its folder"
UNPLANNABLE = f"a path with {{ }} < > in it cannot be planned: {REMEDY}"
UNPRINTABLE = f"a path with control characters or bytes that are no text: {REMEDY}"
BLANK_ENDS = f"a path that begins or ends with a blank: {REMEDY}"
REASONS = (UNPLANNABLE, UNPRINTABLE, BLANK_ENDS)
CONTROLS = {
    "Cc",
    "Cf",
    "Cs",
    "Zl",
    "Zp",
}  # controls, directions, lone surrogates, line and paragraph separators
JOINERS = {"\u200c", "\u200d"}  # Persian, Indian scripts and emoji are spelled with them
LONGEST = 2000  # characters of a line that says what is wrong


def is_web(text: str) -> bool:
    """Return whether ``text`` is an ``http://`` or ``https://`` address."""
    return WEB.match(text) is not None


def redact(address: str) -> str:
    """Return an address without user, password, query and fragment: results, logs and pages are read by others."""
    try:
        parts = urlsplit(address)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return SECRET.sub("", address)


def without_secrets(text: str) -> str:
    """Return a text, such as an error's, without what the addresses in it must not show."""
    return SECRET.sub("", text)


def path_problem(path: str) -> str:
    """Return why a path can be neither listed nor planned; empty where it can.

    Snakemake would read wildcards into ``{ } < >``. Nobody could tell what a name with control characters is.
    """
    if not is_printable(path):
        return UNPRINTABLE
    if path != path.strip():
        return BLANK_ENDS
    return UNPLANNABLE if set(path) & set("{}<>") else ""


def printable(text: object) -> str:
    r"""Return ``text`` as one line that steers nothing: a control character becomes its escape, such as ``\n``."""
    line = str(text)
    if line.isprintable():
        return line
    return "".join(json.dumps(letter)[1:-1] if _is_control(letter) else letter for letter in line)


def printable_lines(text: str) -> str:
    """Return ``text`` as :func:`printable` does, but with its line breaks."""
    return "\n".join(map(printable, text.split("\n")))


def is_printable(text: str) -> bool:
    """Return whether ``text`` is one line that steers nothing, and can be written as UTF-8."""
    return text.isprintable() or not any(map(_is_control, text))


def shorten(text: str, longest: int) -> str:
    """Return ``text``, without its middle where it has more than ``longest`` characters."""
    if len(text) <= longest:
        return text
    tail = longest // 3
    return f"{text[: longest - 1 - tail]}…{text[-tail:]}"


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter) in CONTROLS and letter not in JOINERS
