"""The notebooks of the docs: Markdown in the repository, ``.ipynb`` for those who download them."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import nbformat
from myst_nb.core.read import read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig

from docs.site.contents import ROOT, place

_RELATIVE_LINK = re.compile(r"!?\[([^\]]+)\]\((?!https?:)[^)]*\)")


def notebook(page: str, root: Path = ROOT) -> nbformat.NotebookNode:
    """Return a Markdown notebook as a notebook without outputs.

    Args:
        page: Path of the notebook in the repository.
        root: Folder of the repository.
    """
    text = (root / page).read_text(encoding="utf-8")
    return read_myst_markdown_notebook(text, config=MdParserConfig(), path=str(root / page))


def as_ipynb(pages: list[str], folder: Path, root: Path = ROOT) -> None:
    """Write notebooks as ``.ipynb``; links to other pages, which a copy elsewhere has not, become words.

    Args:
        pages: Notebooks as paths in the repository.
        folder: Folder in which they stand as they do in the site.
        root: Folder of the repository.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for page in pages:
        content = notebook(page, root)
        for cell in content.cells:
            if cell.cell_type == "markdown":
                cell.source = _RELATIVE_LINK.sub(r"\1", cell.source)
        path = folder / PurePosixPath(place(page)).with_suffix(".ipynb")
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(content, path)
