"""Read pages as a browser would."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

EVIL = "<script>alert(1)</script>"


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.addresses: list[str] = []
        self.scripts: list[str | None] = []
        self.stored: list[list[list[object]]] = []  # rows of the tables
        self.text = ""
        self._within = ""
        self.html = path.read_text(encoding="utf-8")
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self._within = tag
        self.ids += [found["id"] or ""] if tag == "section" and "id" in found else []
        self.images += [found] if tag == "img" else []
        self.scripts += [found.get("type")] if tag == "script" else []
        self.addresses += [found[key] or "" for key in ("src", "href") if key in found]

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within == "script" and self.scripts[-1] == "application/json":
            self.stored.append(json.loads(data))
        elif self._within not in ("script", "style"):
            self.text += data
