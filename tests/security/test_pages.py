"""Text of a stranger's file on pages, in tables, in logs and on a terminal: it stays text."""

from __future__ import annotations

import io
import json
import logging
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from rich.console import Console

from tests.support.html import Page
from tests.support.make_results import make_results, make_session
from xcebra_nwb.benchmark.table import KEYS, render
from xcebra_nwb.commands.cli.output import OneLineFormatter, format_warning, print_text, report_error
from xcebra_nwb.commands.report import report
from xcebra_nwb.commands.score import render as render_scores
from xcebra_nwb.commands.summarize import summarize
from xcebra_nwb.core import session_table
from xcebra_nwb.core.errors import Failure, UsageError
from xcebra_nwb.core.files import read_json, write_json, write_text
from xcebra_nwb.core.receipts import ORDER, Receipt, save
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.safe_text import is_printable, printable, printable_lines
from xcebra_nwb.core.session_table import Session
from xcebra_nwb.nwb.inventory.starting_config import quoted
from xcebra_nwb.report import ending
from xcebra_nwb.report.pages.summary import BESIDE
from xcebra_nwb.report.style import figure, picture, plain, told_apart

RUNS = "document.title='RAN'"
HOSTILE = (
    f"<script>{RUNS}</script>",
    f"</script><script>{RUNS}</script>",
    f'" onmouseover="{RUNS}" x="',
    f"<img src=x onerror={RUNS}>",
    f"<svg onload={RUNS}>",
    f"javascript:{RUNS}",
    "</style><style>*{display:none}",
    "{{ 7 * 7 }} {% raw %} ${7 * 7}",
    "<!--",
    "\x1b[2J\x1b]8;;http://x\x07link\x1b]8;;\x07",
    "\x9b31m",
    "abc\rxyz",
    "a\u202etxt.exe\u2066",
    "=HYPERLINK(1)",
    "[link](http://x) | `x` |",
    "[red]rich[/red] [link=http://x]x[/link]",
    "$\\frac{1}{",
    "$x_3$",
    "\u05d0\u05d1 \U0001f9e0 漢字",
    "long" * 2500,
)
STEERS = set("\x1b\x9b\x07\r\u202e\u2066\u2028")


def hostile(number: int) -> str:
    return HOSTILE[number % len(HOSTILE)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A done, a refused and a failed session with hostile text everywhere, and their summary."""
    folder = tmp_path_factory.mktemp("pages")
    rows = [Session(session=name, include=True, source=name, found=" ".join(HOSTILE[:19])) for name in ("a", "b", "c")]
    rows.append(Session(session="d", include=False, reason=" ".join(HOSTILE[:19]), source=hostile(8)))
    session_table.write(rows, folder / "t.tsv")
    session = make_session(np.random.default_rng(0), unit_ids=[hostile(i) for i in range(12)])
    session["region"] = ("unit", [hostile(i + 9) for i in range(12)])
    session["position"].attrs |= {"source": hostile(9), "units": hostile(16), "reference_frame": hostile(19)}
    session["choice"].attrs["classes"] = json.dumps([hostile(12), hostile(16)])
    words = list(HOSTILE)
    session.attrs |= {"subject": hostile(10), "choices": json.dumps(words), "masks": json.dumps({hostile(12): 20})}
    make_results(folder / "a", session=session)
    write_json(folder / "a" / "inventory.json", dict.fromkeys(words, words) | {"records": [dict.fromkeys(words, 1)]})
    write_json(folder / "a" / "check.json", {"new": [{"message": one} for one in words]})
    for command in ORDER:
        save(Receipt(command=command, session="a", state="done"), folder / "a")
    refusal = {"code": Code.NO_LABEL, "reason": " ".join(words[:19]), "remedy": f"`{words[0]}` {words[9]}"}
    save(Receipt(command="extract", session="b", state="refused", **refusal), folder / "b")
    write_json(folder / "b" / "inventory.json", words)
    (folder / "logs" / "c").mkdir(parents=True)
    (folder / "logs" / "c" / "extract.log").write_text("\n".join(words))
    for name in ("a", "b"):
        report(folder / name)
    summarize(folder, folder / "t.tsv")
    return folder


def pages(results: Path) -> list[Path]:
    return [results / "a" / "report.html", results / "b" / "report.html", results / "summary.html"]


def test_a_page_shows_text_and_nothing_of_it_is_markup(results: Path) -> None:
    for path in pages(results):
        page = Page(path)
        assert set(page.scripts) <= {"application/json", None}
        assert page.scripts.count(None) == 1
        assert not STEERS & set(page.html)
        assert not STEERS & set(json.dumps(page.stored, ensure_ascii=False))
        assert not [
            address
            for address in page.addresses
            if not address.startswith(("data:image/png", "data:image/svg", "#", "a/", "b/", "logs/c/"))
            and address not in BESIDE
        ]
        assert "7 * 7" in page.text or path.parent.name == "a"
        assert "\\u202e" in page.text
    assert HOSTILE[0] in Page(pages(results)[1]).text


def test_no_script_of_a_page_runs_in_a_browser(results: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here")
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    quiet += ["--disable-background-networking", "--disable-component-update", f"--user-data-dir={tmp_path}"]
    for path in pages(results):
        command = [browser, *quiet, "--virtual-time-budget=3000", "--dump-dom", path.as_uri()]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
        assert "<title>RAN" not in shown
        assert "rows shown" in shown or path.parent.name == "b"  # our own script did run


def test_what_is_stored_of_a_session_can_be_shown_on_a_terminal(results: Path) -> None:
    files = [*results.rglob("*.json"), results / "t.tsv"]
    assert len(files) > 8
    for path in files:
        assert all(is_printable(cell) for line in path.read_text().split("\n") for cell in line.split("\t")), path
    assert read_json(results / "a" / "inventory.json").keys() >= set(HOSTILE)  # and it is still what it was


def test_the_overview_of_a_run_steers_no_terminal(results: Path) -> None:
    said = io.StringIO()
    ending.print_overview(results, results / "t.tsv", Console(file=said, force_terminal=False, width=200))
    assert all(is_printable(line) for line in said.getvalue().split("\n"))
    assert "[red]rich[/red]" in said.getvalue()


def test_figures_draw_any_name() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = figure(3, 3)
        for text in [*HOSTILE, "\ud800", "$" * 9, "\\$", "x" * 10_000]:
            made.text(0, 0, plain(text))
            assert len(plain(text)) < 100
        names = told_apart(list(HOSTILE), 24)
        assert len(set(names)) == len(HOSTILE)
        picture(lambda: made, "")


def test_json_and_pages_hold_what_utf_8_does_not(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a\udc80": ["\ud83e", "\x1b", "\U000e0001", "µ"]})
    assert read_json(tmp_path / "a.json") == {"a\udc80": ["\ud83e", "\x1b", "\U000e0001", "µ"]}
    assert "µ" in (tmp_path / "a.json").read_text(encoding="utf-8")
    write_text(tmp_path / "a.html", "a\udc80")
    assert (tmp_path / "a.html").read_text() == "a\\udc80"


@pytest.mark.parametrize("text", HOSTILE)
def test_what_the_command_line_says_is_one_printable_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    errors = [UsageError(text, text), Failure(text), OSError(13, text, text), ValueError(text), MemoryError(text)]
    for error in [*errors, OSError(28, text, text.encode())]:
        report_error(error)
        said = capsys.readouterr().err
        assert is_printable(said.removesuffix("\n"))
        assert len(said) < 3000
    record = logging.LogRecord("x", logging.INFO, "f", 1, "%s", (f"{text}\nxcebra-nwb: refused: forged",), None)
    assert is_printable(OneLineFormatter("%(message)s").format(record))
    assert is_printable(format_warning(f"{text}\n{text}", UserWarning, text, 1).removesuffix("\n"))
    print_text(f"{text}\n{text}")
    assert all(is_printable(line) for line in capsys.readouterr().out.split("\n"))


@pytest.mark.parametrize("text", HOSTILE)
def test_tables_for_terminals_and_markdown_hold_text(text: str) -> None:
    for shown in (
        render(pd.DataFrame([dict.fromkeys(KEYS, text) | {"note": text}, dict.fromkeys(KEYS, "x") | {"note": ""}])),
        render_scores({"a": {text: 0.5}}),
    ):
        said = io.StringIO()
        Console(file=said, width=20_000, force_terminal=False).print(shown)
        assert all(is_printable(line) for line in said.getvalue().split("\n"))
        assert "7 * 7" not in text or "7 * 7" in said.getvalue()
    if text.startswith("[red]"):
        assert text in said.getvalue()


@pytest.mark.parametrize(
    "name", [*HOSTILE[:19], "x\u2028training: {steps: 1}", "x\x85training: 1", "x\ntraining: 1", "'", "*a"]
)
def test_a_name_in_a_config_to_start_from_is_a_value(name: str) -> None:
    text = printable_lines(f"a: {{source: {quoted(name)}}}\n# b: {{source: {quoted(name)}}}\n")
    assert yaml.safe_load(text) == {"a": {"source": name}}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain µ é \u05d0 漢", "plain µ é \u05d0 漢"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x00\x1b\x7f\x9b", "\\u0000\\u001b\\u007f\\u009b"),
        ("\u202e\u2066\u200f\ufeff\u2028", "\\u202e\\u2066\\u200f\\ufeff\\u2028"),
        ("a\udc80", "a\\udc80"),
        ("a\u00a0b", "a\u00a0b"),
        ("\U0001f468\u200d\U0001f469", "\U0001f468\u200d\U0001f469"),
    ],
)
def test_what_is_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert is_printable(text) == (text == shown)
    assert printable(shown) == shown
