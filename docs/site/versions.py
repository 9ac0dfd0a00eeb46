"""The versions of the site: a folder for each, a table for the menu of the pages, and a first page for all."""

from __future__ import annotations

import json
from pathlib import Path

from packaging.version import InvalidVersion, Version

DEVELOPMENT = "dev"
_FIRST_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>xcebra-nwb</title>
<meta http-equiv="refresh" content="0; url={version}/"></head>
<body><a href="{version}/">xcebra-nwb {version}</a></body></html>
"""


def write_versions(html: Path, address: str) -> None:
    """Write the table of versions for the menu of the pages, and a first page that leads to the newest release.

    Args:
        html: Folder with a folder for each version.
        address: Where the site will stand.
    """
    names = sorted((path.name for path in html.iterdir() if path.is_dir()), key=_rank, reverse=True)
    releases = [name for name in names if name != DEVELOPMENT]
    preferred = next(iter(releases), names[0])
    table = [
        {"name": name, "version": name, "url": f"{address}{name}/", "preferred": name == preferred} for name in names
    ]
    (html / "versions.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    (html / "index.html").write_text(_FIRST_PAGE.format(version=preferred), encoding="utf-8")
    (html / ".nojekyll").touch()


def _rank(name: str) -> Version:
    """Return a version by which names are ordered: the development version is the newest."""
    try:
        return Version(name)
    except InvalidVersion:
        return Version("9999")
