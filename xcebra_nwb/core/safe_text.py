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
LONGEST = 2000  # characters of an error message


def is_web(text: str) -> bool:
    """Return whether ``text`` is an ``http://`` or ``https://`` address.

    >>> is_web("HTTPS://host/a.nwb"), is_web("dandi://dandi/000207")
    (True, False)
    """
    return WEB.match(text) is not None


def redact(address: str) -> str:
    """Return an address without user, password, query and fragment.

    Results, logs and pages show addresses in this form, since other people read them.

    >>> redact("https://me:key@host/a.nwb?signature=1#x")
    'https://host/a.nwb'
    """
    try:
        parts = urlsplit(address)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return SECRET.sub("", address)


def without_secrets(text: str) -> str:
    """Return a text, such as an error message, with all its addresses redacted.

    >>> without_secrets("no answer from https://me:key@host/a.nwb?signature=1 today")
    'no answer from https://host/a.nwb today'
    """
    return SECRET.sub("", text)


def path_problem(path: str) -> str:
    """Return why a path can be neither listed nor planned; empty if it can.

    Snakemake reads ``{ } < >`` as wildcards. Control characters make a name unreadable.

    >>> path_problem("data/a.nwb"), path_problem(" a.nwb")
    ('', 'a path that begins or ends with a blank: rename the file or its folder')
    """
    if not is_printable(path):
        return UNPRINTABLE
    if path != path.strip():
        return BLANK_ENDS
    return UNPLANNABLE if set(path) & set("{}<>") else ""


def printable(text: object) -> str:
    """Return ``text`` as one line in which control characters are escaped.

    >>> printable(f"a{chr(9)}b") == "a" + chr(92) + "tb"
    True
    """
    line = str(text)
    if line.isprintable():
        return line
    return "".join(json.dumps(letter)[1:-1] if _is_control(letter) else letter for letter in line)


def printable_lines(text: str) -> str:
    """Return ``text`` with its line breaks; other control characters are escaped."""
    return "\n".join(map(printable, text.split("\n")))


def is_printable(text: str) -> bool:
    r"""Return whether ``text`` is one line of UTF-8 without control characters.

    >>> is_printable("Grüße"), is_printable("two\nlines")
    (True, False)
    """
    return text.isprintable() or not any(map(_is_control, text))


def shorten(text: str, longest: int) -> str:
    """Return ``text`` in at most ``longest`` characters, without its middle.

    >>> shorten("processing/behavior/position", 15)
    'processin…ition'
    """
    if len(text) <= longest:
        return text
    tail = longest // 3
    return f"{text[: longest - 1 - tail]}…{text[-tail:]}"


def _is_control(letter: str) -> bool:
    """Return whether a character controls a terminal or the direction of text."""
    return unicodedata.category(letter) in CONTROLS and letter not in JOINERS
