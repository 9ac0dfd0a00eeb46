"""Check the links of the built site: every page, part of a page, picture and file to which it leads is there."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note what a tag leads to, and by what name it can be reached."""
        named = {name: value for name, value in attributes if value is not None}
        self.anchors |= {named[name] for name in ("id", "name") if name in named}
        self.links += [named[name] for name in ("href", "src") if name in named]


def dead_links(folder: Path) -> list[str]:
    """Return the links within a site that lead nowhere, each with its page.

    Links to other hosts are not asked for. Links out of the folder, to other versions of the site, are left out.

    Args:
        folder: The built site, of one version.
    """
    files = [path for path in sorted(folder.rglob("*.html")) if "_static" not in path.relative_to(folder).parts]
    pages = {path.resolve(): _Page(path.read_text(encoding="utf-8")) for path in files}
    dead = []
    for path, page in pages.items():
        for link in page.links:
            address = urlsplit(link)
            if address.scheme or address.netloc or address.path.startswith("/"):
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            there = target / "index.html" if target.is_dir() else target
            fragment = unquote(address.fragment)
            lost = fragment and there in pages and fragment not in pages[there].anchors
            if not there.is_file() or lost:
                dead.append(f"{path.relative_to(folder.resolve())}: {link}")
    return dead
