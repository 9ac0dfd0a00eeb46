"""The catalogue of refusals: every code is used, every refusal has one, and users see it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support import nwb_builders as build
from tests.support.paths import PACKAGE
from xcebra_nwb.commands.cli.errors import say
from xcebra_nwb.core.errors import NotInFile, Refusal
from xcebra_nwb.core.refusals import Code, page


def codes_in_the_code() -> dict[str, list[str]]:
    """The codes that the package mentions outside of their catalogue, and where."""
    used: dict[str, list[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        if path.name != "refusals.py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Code":
                    used.setdefault(node.attr, []).append(path.name)
    return used


@pytest.mark.slow
def test_every_code_is_used_and_none_is_unknown() -> None:
    assert set(codes_in_the_code()) == set(Code.__members__)


@pytest.mark.parametrize("code", Code)
def test_a_code_is_one_word_with_a_meaning_and_a_remedy(code: Code) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
    for line in (code.means, code.helps):
        assert line.endswith(".") and "\n" not in line and "|" not in line
    assert f"| `{code}` | {code.means} | {code.helps} |" in page().splitlines()


def test_no_two_codes_mean_the_same() -> None:
    assert len({code.means for code in Code}) == len(Code)


def test_the_code_stands_at_the_end_of_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert say(Refusal(Code.NO_LABEL, "a.nwb: no behaviour", "name a label")) == 3
    assert capsys.readouterr().err == "xcebra-nwb: refused: a.nwb: no behaviour (name a label) [no-label]\n"


def test_what_the_config_names_in_vain_has_a_code_among_many_files() -> None:
    assert NotInFile("no /units in the file").code is Code.CONFIG_DOES_NOT_FIT


def test_inspect_gives_the_code(tmp_path: Path) -> None:
    from xcebra_nwb.commands.inspect import inspect, render

    told = inspect(build.without_behaviour(tmp_path / "lonely.nwb"))
    assert told.refusal is not None and told.refusal.code is Code.NO_LABEL
    assert "no-label" in render(told)
