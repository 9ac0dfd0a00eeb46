"""Stage the source of the site: the Markdown pages with their links led to the site, and pages that are generated.

Files that have not changed keep their time, so that Sphinx builds only pages that have changed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import xcebra_nwb
from docs.site.contents import (
    EXAMPLES,
    EXAMPLES_PAGE,
    INDEX,
    LINK,
    ROOT,
    Section,
    outside_fences,
    pages,
    place,
    resolved,
    sections,
)
from docs.site.generated import public_names

API_PAGE = "docs/reference/api.md"
NOTEBOOK = re.compile(r"\A---\n.*?^file_format: mystnb$.*?^---\n", re.DOTALL | re.MULTILINE)
NOT_OURS = "set_fit_request, set_score_request, set_transform_request"  # scikit-learn adds them to every estimator
LANGUAGES = {".py": "python", ".yaml": "yaml", ".json": "json", ".toml": "toml"}


def stage(folder: Path, root: Path = ROOT) -> list[str]:
    """Write the source of the site into a folder, and return the notebooks among its pages.

    Args:
        folder: Where Sphinx reads. Files in it that do not belong to the source are removed.
        root: Folder of the repository.

    Returns:
        Notebooks as paths in the repository.
    """
    staged: dict[str, str] = {}
    linked: set[str] = set()
    texts = {page: (root / page).read_text(encoding="utf-8") for page in pages(root)}
    for page, text in texts.items():
        staged[place(page)] = _with_links_of_the_site(page, text, root, linked)
    for section in sections(root):
        if len(section.files) > 1:
            staged[f"{section.folder}/index.md"] = _section_page(section, root)
    staged["index.md"] += _tree_of_sections(sections(root))
    staged[EXAMPLES_PAGE] = _examples_page(root)
    notebooks = [page for page, text in texts.items() if NOTEBOOK.match(text)]
    for page in notebooks:
        staged[place(page)] = _with_download(staged[place(page)], PurePosixPath(page).stem)
    if API_PAGE in texts:
        staged[place(API_PAGE)] += api_directives()
    for path in sorted(linked):
        if place(path).startswith("files/"):
            staged[place(path)] = _file_page(path, root)
    images = {place(path): path for path in linked if place(path).startswith("images/")}
    _write(folder, staged, {name: root / path for name, path in images.items()})
    return notebooks


def led(page: str, link: str, root: Path = ROOT) -> tuple[str, str | None]:
    """Return a link as the site has it, and the path in the repository to which it leads (None for addresses).

    Args:
        page: The page that has the link, as a path in the repository.
        link: The link as it stands in the page.
        root: Folder of the repository.

    Raises:
        FileNotFoundError: The link leads to nothing.
    """
    if re.match(r"\w+:", link) or link.startswith("#"):
        return link, None
    path, _, anchor = link.partition("#")
    target = resolved(page, path)
    if not (root / target).exists():
        raise FileNotFoundError(f"{page}: the link {link} leads to nothing")
    there, _, part = place(target).partition("#")
    relative = os.path.relpath(there, PurePosixPath(place(page)).parent)
    return relative + (f"#{anchor or part}" if anchor or part else ""), target


def _with_links_of_the_site(page: str, text: str, root: Path, linked: set[str]) -> str:
    """Return a page whose links lead to pages of the site; ``linked`` gets the files to which they lead."""

    def replaced(match: re.Match[str]) -> str:
        link, target = led(page, match[0], root)
        linked.update({target} if target else ())
        return link

    return _in_prose(text, lambda prose: LINK.sub(replaced, prose))


def _in_prose(text: str, change: Callable[[str], str]) -> str:
    """Return a text with its prose changed and its fenced code as it was."""
    return "".join(change(part) if prose else part for prose, part in outside_fences(text))


def _section_page(section: Section, root: Path) -> str:
    """Return the first page of a section: its list, and the tree of its pages."""

    def replaced(match: re.Match[str]) -> str:
        there, target = led(INDEX, match[0], root)  # the list stands in docs/README.md, one folder higher
        return os.path.relpath(there, section.folder) if target else there

    entries = [f"/{PurePosixPath(place(path)).with_suffix('')}" for path in section.files]
    text = LINK.sub(replaced, section.text)
    return f"# {section.title}\n\n{text}\n{_tree(entries)}"


def _tree_of_sections(found: list[Section]) -> str:
    entries = [
        f"{section.title} <{section.folder}/index>"
        if len(section.files) > 1
        else f"{section.title} <{PurePosixPath(place(section.files[0])).with_suffix('')}>"
        for section in found
    ]
    return _tree([*entries, "All pages <contents>"])


def _tree(entries: list[str]) -> str:
    return "\n```{toctree}\n:hidden:\n\n" + "\n".join(entries) + "\n```\n"


def _examples_page(root: Path) -> str:
    """Return a page with all example configs."""
    files = sorted((root / EXAMPLES).glob("*.yaml"))
    shown = "".join(f"\n## {file.name}\n\n{_code(file)}" for file in files)
    return f"# Example configs\n\nThey come with the package. `-c tiny` takes `tiny.yaml`.\n{shown}"


def _file_page(path: str, root: Path) -> str:
    """Return a page that shows a file of the repository, or lists the files of a folder."""
    file = root / path
    if file.is_dir():
        names = "".join(f"- `{one.name}`\n" for one in sorted(file.iterdir()) if one.is_file())
        return f"---\norphan: true\n---\n\n# `{path}`\n\nA folder of the repository, with these files:\n\n{names}"
    return f"---\norphan: true\n---\n\n# `{path}`\n\nA file of the repository.\n\n{_code(file)}"


def _code(file: Path) -> str:
    text = file.read_text(encoding="utf-8").rstrip("\n")
    return f"~~~~{LANGUAGES.get(file.suffix, 'text')}\n{text}\n~~~~\n"


def _with_download(text: str, name: str) -> str:
    """Return the page of a notebook with a link to the notebook itself, under its title."""
    download = f'<a href="{name}.ipynb" download>Download it</a>'
    link = f"<p>This page is a notebook that was run. {download} to run it yourself.</p>"
    return re.sub(r"^(# .*\n)", rf"\1\n{link}\n", text, count=1, flags=re.MULTILINE)


def api_directives() -> str:
    """Return the directives that show every name of the Python API with its signature and docstring."""
    shown = {f"`{name}`": (f"xcebra_nwb.{name}", getattr(xcebra_nwb, name)) for name in public_names()}
    shown["`Results.plot`"] = ("xcebra_nwb.api.plots.Plots", type)
    return "".join(_directive(title, path, isinstance(thing, type)) for title, (path, thing) in shown.items())


def _directive(title: str, path: str, is_class: bool) -> str:
    """Return a heading and the directive that shows a function, or a class with the members of its own."""
    kind, options = (
        ("autoclass", f"   :members:\n   :exclude-members: {NOT_OURS}\n") if is_class else ("autofunction", "")
    )
    return f"\n## {title}\n\n```{{eval-rst}}\n.. {kind}:: {path}\n{options}```\n"


def _write(folder: Path, staged: dict[str, str], copies: dict[str, Path]) -> None:
    """Make a folder hold these texts and copies, and nothing else; leave files that are right as they are."""
    contents = {name: text.encode() for name, text in staged.items()}
    contents |= {name: path.read_bytes() for name, path in copies.items()}
    for file in folder.rglob("*"):
        if file.is_file() and file.relative_to(folder).as_posix() not in contents:
            file.unlink()
    for name, content in contents.items():
        file = folder / name
        if not (file.is_file() and file.read_bytes() == content):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
