"""The site of the docs: all pages stand in it, generated pages agree with the code, sentences are short.

``make site`` builds it strictly; a thorough test does the same, with all notebooks.
"""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from docs.site import contents, generated, reading, stage
from docs.site.contents import outside_fences, pages, place, sections
from tests.support.paths import DOCS, ROOT

NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.md"))
TREE = re.compile(r"^```\{toctree\}\n:hidden:\n\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The staged source of the site."""
    folder = tmp_path_factory.mktemp("source")
    stage.stage(folder)
    return folder


def trees(folder: Path) -> list[str]:
    """Return all pages to which the trees of a staged site lead, as they are named there."""
    found = []
    for path in folder.rglob("*.md"):
        for block in re.findall(
            r"^```\{toctree\}\n:hidden:\n\n(.*?)^```", path.read_text("utf-8"), re.DOTALL | re.MULTILINE
        ):
            entries = [re.sub(r".*<(.*)>$", r"\1", line) for line in block.splitlines()]
            found += [entry.removeprefix("/") for entry in entries]
    return found


def test_every_page_stands_in_the_site_once(source: Path) -> None:
    staged = {path.relative_to(source).as_posix() for path in source.rglob("*.md")}
    assert {place(page) for page in pages()} <= staged
    in_trees = trees(source)
    assert sorted(in_trees) == sorted(set(in_trees))
    orphans = {name for name in staged if name.startswith("files/")}
    assert {f"{name}.md" for name in in_trees} == staged - orphans - {"index.md"}


def test_links_of_the_staged_pages_lead_to_pages_of_the_site(source: Path) -> None:
    dead = []
    for path in source.rglob("*.md"):
        prose = "".join(text for is_prose, text in outside_fences(path.read_text("utf-8")) if is_prose)
        links = re.findall(r"\]\(((?!\w+:|#)[^)\s]+)\)", prose)
        lost = [link for link in links if not (path.parent / link.partition("#")[0]).is_file()]
        dead += [f"{path.relative_to(source)}: {link}" for link in lost]
    assert dead == []


def test_a_page_that_was_removed_leaves_the_staged_source(source: Path) -> None:
    (source / "old.md").write_text("# Old\n")
    before = (source / "index.md").stat().st_mtime_ns
    stage.stage(source)
    assert not (source / "old.md").exists()
    assert (source / "index.md").stat().st_mtime_ns == before


def test_a_dead_link_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"docs/glossary.md: the link nothing.md leads to nothing"):
        stage.led("docs/glossary.md", "nothing.md")


@pytest.mark.parametrize("path", generated.rendered(), ids=lambda path: path.name)
def test_generated_pages_agree_with_the_code(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == generated.rendered()[path], "make docs"


def test_sections_have_pages() -> None:
    assert [len(section.files) > 0 for section in sections()] == [True] * len(sections())


@pytest.mark.parametrize("module", [contents, reading])
def test_examples_of_the_tools_are_true(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@pytest.mark.parametrize("page", pages())
def test_sentences_of_a_page_are_short(page: str) -> None:
    measured = reading.reading((ROOT / page).read_text(encoding="utf-8"))
    assert measured.words < 17 or measured.sentences < 10
    assert measured.age < 13


def test_versions_stand_beside_each_other_and_the_newest_release_comes_first(tmp_path: Path) -> None:
    import json

    from docs.site.versions import write_versions

    for name in ("0.9.0", "0.10.0", "dev"):
        (tmp_path / name).mkdir()
    write_versions(tmp_path, "/docs/")
    table = json.loads((tmp_path / "versions.json").read_text())
    assert [(one["version"], one["preferred"]) for one in table] == [("dev", False), ("0.10.0", True), ("0.9.0", False)]
    assert table[1]["url"] == "/docs/0.10.0/"
    assert "url=0.10.0/" in (tmp_path / "index.html").read_text()


def test_dead_links_of_built_pages_are_found(tmp_path: Path) -> None:
    from docs.site.links import dead_links

    (tmp_path / "a.html").write_text(
        '<p id="one"><a href="b.html#two">b</a> <img src="c.png"> <a href="#one">up</a></p>'
    )
    (tmp_path / "b.html").write_text('<a href="a.html#one">a</a> <a href="https://example.org">x</a>')
    assert dead_links(tmp_path) == ["a.html: b.html#two", "a.html: c.png"]


@pytest.mark.thorough
@pytest.mark.filterwarnings("default")  # those of the packages of the site
def test_the_site_is_built_without_a_warning_and_its_notebooks_run(tmp_path: Path) -> None:
    """Minutes: it runs all notebooks, whose outputs must say what their texts say."""
    from docs.site.build import build

    assert build(tmp_path, "1.0", "/") == []
    for page in NOTEBOOKS:
        shown = (tmp_path / "html" / "1.0" / "notebooks" / f"{page.stem}.html").read_text("utf-8")
        assert "cell_output" in shown
        assert "image/svg+xml" in shown or "<img" in shown, f"{page.name} shows no figure"
