"""The contents of the site: sections and pages, as docs/README.md lists them, and where each file stands in the site.

The pages are plain Markdown that can be read on a code host. Here it is settled which file becomes which page.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
INDEX = "docs/README.md"
FENCED = re.compile(r"(^(`{3,}|~{3,}).*?^\2[ \t]*$\n?)", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?<=\]\()[^)\s]+(?=\))")
_ITEM = re.compile(r"^- \[(?P<title>[^\]]+)\]\((?P<path>[^)#\s]+)\)", re.MULTILINE)

# Files of the repository that are pages of the site, beside those of docs/.
PAGES_ELSEWHERE = {
    "README.md": "index.md",
    INDEX: "contents.md",
    "config/README.md": "reference/config.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "plugins/snakemake-storage-plugin-dandi/README.md": "project/storage-plugin.md",
}
EXAMPLES = "config/examples"
EXAMPLES_PAGE = "reference/examples.md"


class Section(NamedTuple):
    """A section of the site.

    Attributes:
        title: Its heading in docs/README.md.
        folder: Its folder in the site.
        text: What stands under the heading, as Markdown.
        files: Its pages in order, as paths in the repository; a folder of examples counts as one.
    """

    title: str
    folder: str
    text: str
    files: list[str]


def sections(root: Path = ROOT) -> list[Section]:
    """Return the sections that docs/README.md lists, in order.

    Args:
        root: Folder of the repository.
    """
    _, *parts = re.split(r"^## (.*)$", (root / INDEX).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [
        Section(title, title.lower().replace(" ", "-"), text.strip(), _files(text))
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    ]


def _files(text: str) -> list[str]:
    """Return the paths in the repository to which the items of a list lead."""
    return [resolved(INDEX, match["path"]) for match in _ITEM.finditer(text)]


def resolved(page: str, link: str) -> str:
    """Return the path in the repository to which a link of a page leads.

    >>> resolved("docs/how-to/archive.md", "../../config/README.md")
    'config/README.md'
    """
    parts: list[str] = []
    for part in (PurePosixPath(page).parent / link).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def place(path: str) -> str:
    """Return where a file or folder of the repository stands in the site, with an anchor if it is a part of a page.

    >>> place("docs/how-to/archive.md"), place("config/README.md"), place("LICENSE")
    ('how-to/archive.md', 'reference/config.md', 'files/LICENSE.md')
    >>> place("config/examples/tiny.yaml")
    'reference/examples.md#tinyyaml'
    """
    if path in PAGES_ELSEWHERE:
        return PAGES_ELSEWHERE[path]
    if path == EXAMPLES:
        return EXAMPLES_PAGE
    if path.startswith(f"{EXAMPLES}/"):
        return f"{EXAMPLES_PAGE}#{PurePosixPath(path).name.lower().replace('.', '')}"
    return path.removeprefix("docs/") if path.startswith("docs/") else f"files/{path}.md"


def pages(root: Path = ROOT) -> list[str]:
    """Return the Markdown files that are pages of the site, as paths in the repository.

    Args:
        root: Folder of the repository.
    """
    in_docs = [path.relative_to(root).as_posix() for path in sorted((root / "docs").rglob("*.md"))]
    return [*PAGES_ELSEWHERE, *(path for path in in_docs if path != INDEX)]


def outside_fences(text: str) -> list[tuple[bool, str]]:
    """Return the parts of a Markdown text in order, each with whether it is prose and no fenced code.

    >>> outside_fences("a\\n```\\nb\\n```\\nc")
    [(True, 'a\\n'), (False, '```\\nb\\n```\\n'), (True, 'c')]
    """
    parts: list[tuple[bool, str]] = []
    end = 0
    for match in FENCED.finditer(text):
        parts += [(True, text[end : match.start()]), (False, match[0])]
        end = match.end()
    return [part for part in [*parts, (True, text[end:])] if part[1]]
