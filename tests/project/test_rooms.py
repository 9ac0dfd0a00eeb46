"""The plan of the package: eleven rooms, each with one sentence, and modules that can be read at one sitting."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.paths import PACKAGE, ROOT

ROOMS = {
    "api",
    "archive",
    "assess",
    "attribution",
    "benchmark",
    "commands",
    "core",
    "nwb",
    "report",
    "training",
    "xcebra",
}
MOST_LINES = 400
TESTS_OF_ALL_ROOMS = {"project", "security", "slurm", "support", "workflow"}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def folders(root: Path) -> set[str]:
    """Return the names of the folders of ``root`` that have modules, which caches have not."""
    return {path.name for path in root.iterdir() if list(path.glob("**/*.py"))}


def test_at_the_root_of_the_package_stand_only_its_rooms() -> None:
    assert folders(PACKAGE) == ROOMS
    assert {path.name for path in PACKAGE.iterdir() if path.is_file()} == {"__init__.py", "__main__.py", "py.typed"}


def test_every_room_has_its_tests() -> None:
    assert folders(ROOT / "tests") == ROOMS | TESTS_OF_ALL_ROOMS
    assert [room for room in sorted(ROOMS) if not list((ROOT / "tests" / room).glob("test_*.py"))] == []


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("__init__.py")), ids=named)
def test_a_room_says_in_one_sentence_what_it_is_for(path: Path) -> None:
    sentence = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert sentence and len(sentence.split()) >= 4, "no sentence"
    assert sentence.endswith(".") and ". " not in sentence.replace("\n", " "), sentence


def test_a_module_is_short_enough_to_be_read() -> None:
    lengths = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}
