"""The pages of the docs: anchors and paths exist, the index lists every page, printed commands are real."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from xcebra_nwb.commands.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "config").glob("*.md")),
    *sorted((ROOT / "plugins").glob("*/*.md")),
]
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The anchors that a Markdown page has: its headings in lower case, signs removed, with dashes for blanks."""
    headings = re.findall(r"^#+ (.*)$", CODE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_and_their_anchors_lead_somewhere(page: Path) -> None:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


def test_the_index_lists_every_page_of_the_docs() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / path).resolve() for path in re.findall(r"\]\(([^)#\s]+)", index.read_text("utf-8"))}
    assert {page.resolve() for page in (ROOT / "docs").rglob("*.md")} - {index.resolve()} <= linked


def test_pages_that_the_code_names_exist() -> None:
    files = [path for room in ("xcebra_nwb", "workflow", "config", "tests") for path in (ROOT / room).rglob("*")]
    texts = {path: path.read_text("utf-8") for path in files if path.suffix in {".py", ".yaml", ".smk", ".json", ".j2"}}
    named = {(path, page) for path, text in texts.items() for page in re.findall(r"docs/[\w/-]+\.md", text)}
    assert named
    assert {(name(path), page) for path, page in named if not (ROOT / page).is_file()} == set()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_that_a_page_prints_exist_with_their_options(page: Path) -> None:
    lines = [
        line
        for block in CODE.findall(page.read_text(encoding="utf-8"))
        for line in re.findall(r"^ *!?(?:python -m xcebra_nwb|xcebra-nwb)(?: --quiet)? (.*)$", block, re.MULTILINE)
    ]
    for line in lines:
        command, *words = shlex.split(line.partition(" | ")[0], comments=True)
        known = {
            option for parameter in COMMANDS[command].params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        assert {word for word in words if word.startswith("-")} <= known, line
