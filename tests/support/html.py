"""Read a page as a browser does: its text, images, scripts and links."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

EVIL = "<script>alert(1)</script>"


class Page(HTMLParser):
    """The content of a page.

    Attributes:
        html: the whole file.
        text: what a reader sees.
        ids: of the sections.
        images: attributes of every image.
        addresses: every address that the page loads or links to.
        scripts: type of every script.
        stored: rows of the tables, which a script keeps as JSON; not the points of figures.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.addresses: list[str] = []
        self.scripts: list[str | None] = []
        self.stored: list[list[list[object]]] = []
        self.text = ""
        self._within, self._figure = "", False
        self.html = path.read_text(encoding="utf-8")
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self._within, self._figure = tag, "data-figure" in attributes
        self.ids += [attributes["id"] or ""] if tag == "section" and "id" in attributes else []
        self.images += [attributes] if tag == "img" else []
        self.scripts += [attributes.get("type")] if tag == "script" else []
        self.addresses += [attributes[key] or "" for key in ("src", "href") if key in attributes]

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within == "script" and self.scripts[-1] == "application/json":
            if not self._figure:
                self.stored.append(json.loads(data))
        elif self._within not in ("script", "style"):
            self.text += data
