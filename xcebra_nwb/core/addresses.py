"""Addresses as they may be shown: without who may read them, and without signatures."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

WEB = re.compile(r"https?://", re.IGNORECASE)
SECRET = re.compile(r"(?<=://)[^/@\s]*@|\?\S*")


def is_web(text: str) -> bool:
    """Return whether ``text`` is an ``http://`` or ``https://`` address."""
    return WEB.match(text) is not None


def shown(address: str) -> str:
    """Return an address without user, password, query and fragment: results, logs and pages are read by others."""
    try:
        parts = urlsplit(address)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return SECRET.sub("", address)


def without_secrets(text: str) -> str:
    """Return a text, such as an error's, without what the addresses in it must not show."""
    return SECRET.sub("", text)
