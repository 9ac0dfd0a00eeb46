"""The summary page in a real browser: search, sort, links, keys, widths, print, dark, no script; all on one page."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.report.conftest import errors_of
from tests.support.many_sessions import many_sessions
from xcebra_nwb.commands.summarize import summarize

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.slow
SESSIONS, UNITS = 60, 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("results")
    summarize(made, many_sessions(made, SESSIONS, UNITS))
    return made


@pytest.fixture(scope="module")
def opened(browser: Any, folder: Path) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    errors = errors_of(page)
    page.goto((folder / "summary.html").as_uri())
    sync_api.expect(page.locator(".units .tools")).to_be_visible()
    yield page
    page.close()
    assert errors == []


@pytest.fixture
def page(opened: Any) -> Any:
    """The page with an empty search."""
    opened.set_viewport_size({"width": 1280, "height": 900})
    opened.locator("#search").fill("")
    return opened


def rows(page: Any, table: str) -> list[list[str]]:
    """The cells of the rows that a table shows."""
    lines = page.locator(f"#{table} tbody tr").evaluate_all(
        "lines => lines.map(line => [...line.cells].map(cell => cell.textContent))"
    )
    return [[str(cell) for cell in line] for line in lines]


def said(page: Any) -> str:
    return str(page.locator("#search-said").inner_text())


def search(page: Any, text: str) -> str:
    page.locator("#search").fill(text)
    return said(page)


def test_a_search_finds_units_by_numbers_names_and_verdicts(page: Any) -> None:
    search(page, "z > 3 and region=ca1")
    found = rows(page, "atlas")
    assert found
    assert all(float(row[11].replace("−", "-")) >= 3 and row[2] == "CA1" for row in found)
    sessions = {row[0] for row in found}
    search(page, "position: weak")
    assert {(row[4], row[5]) for row in rows(page, "atlas")} == {("position", "weak")}
    assert all("position: weak" in row[3] for row in rows(page, "sessions"))
    search(page, 'z>3 region:ca label="position" carries=true verdict!=weak')
    found = rows(page, "atlas")
    assert found
    assert {row[2] for row in found} <= {"CA1", "CA3"}
    assert "weak" not in {row[5] for row in found}
    search(page, "z > 3 and region=ca1")
    assert {row[0] for row in rows(page, "sessions")} == sessions


def test_a_search_finds_sessions_by_their_state_and_by_words(page: Any) -> None:
    assert f"of {SESSIONS} sessions" in search(page, "state: refused")
    assert {row[2] for row in rows(page, "sessions")} == {"⊘ refused"}
    search(page, "no behaviour")
    assert all("no behaviour in the file" in row[4] for row in rows(page, "sessions"))
    search(page, "subject=002")
    assert {row[1] for row in rows(page, "sessions")} == {row[1] for row in rows(page, "atlas")} == {"002"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("regoin=CA1", "There is no field “regoin”. Nearest: region"),
        ("region=CA9", "Nearest values of region: CA1, CA3"),
        ("z > 300", "finds nothing: z goes from"),
        ("z > high", "z is a number, and “high” is none"),
        ("position > 3", "position is a label and takes a verdict: supported, weak"),
        ("position: wek", "no verdict is called “wek”"),
        ("region > 3", "region is a text"),
        ("CA1 or CA3", "“or” is not understood: every term must hold"),
        ("region=CA1 region=CA3", "but no row has all of them"),
        ("region=", "“region=” has no value"),
        ("state=over", "States: done"),
        ("choiec", "Labels: "),
    ],
)
def test_a_search_explains_itself(page: Any, text: str, words: str) -> None:
    assert words in search(page, text)


def test_a_page_that_holds_a_part_of_the_rows_says_so_in_every_answer(
    browser: Any, folder: Path, tmp_path: Path
) -> None:
    whole = (folder / "summary.html").read_text(encoding="utf-8")
    part = tmp_path / "summary.html"
    part.write_text(re.sub(r'data-total="\d+"', 'data-total="1128000"', whole), encoding="utf-8")
    page = browser.new_page()
    page.goto(part.as_uri())
    sync_api.expect(page.locator("#search-said")).to_contain_text(
        "of 1,128,000 rows, carriers of supported labels first"
    )
    page.close()


def test_the_keyboard_is_enough(page: Any) -> None:
    page.locator("h1").click()
    page.keyboard.press("/")
    page.keyboard.type("region=V1")
    assert {row[2] for row in rows(page, "atlas")} == {"V1"}
    assert page.evaluate("location.hash") == "#search=region%3DV1"
    page.keyboard.press("Escape")
    assert page.locator("#search").input_value() == ""
    page.get_by_role("button", name="information").last.focus()
    page.keyboard.press("Enter")
    values = [float(row[7].replace("−", "-")) for row in rows(page, "atlas")]
    assert values == sorted(values, reverse=True)
    line = page.locator(".forest a").nth(1)
    line.focus()
    assert "interval over subjects" in page.locator("#tip").inner_text()
    page.keyboard.press("Enter")
    region = unquote(str(line.get_attribute("href"))).split('"')[-2]
    assert {row[2] for row in rows(page, "atlas")} == {region}


def test_sorting_keeps_what_was_found_and_unknown_names_stand_apart(page: Any) -> None:
    search(page, "carries=yes")
    page.locator("#atlas thead button", has_text="session").click()
    names = [row[0] for row in rows(page, "atlas")]
    assert names == sorted(names, reverse=True)
    assert {row[6] for row in rows(page, "atlas")} == {"yes"}


def test_names_lead_to_the_session_and_to_the_unit(page: Any, folder: Path) -> None:
    search(page, "carries=yes")
    cell = page.locator("#atlas tbody tr").first.locator("a")
    session, unit = (str(cell.nth(i).get_attribute("href")) for i in range(2))
    assert (folder / session).is_file()
    assert unit == f"{session}#unit-{cell.nth(1).inner_text()}"
    links = page.locator("#sessions .links a, #files a").evaluate_all(
        "links => links.map(link => link.getAttribute('href'))"
    )
    assert links
    assert all((folder / link).exists() for link in links)


def test_what_is_found_is_saved(page: Any, tmp_path: Path) -> None:
    search(page, "region=V1 label=speed")
    count = page.locator("#atlas .tools span").inner_text().split(" of ")[1].split(" ")[0]
    with page.expect_download() as saved:
        page.locator("#atlas").get_by_role("button", name="CSV").click()
    saved.value.save_as(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.reader(file))
    assert lines[0][:4] == ["session", "subject", "region", "unit"]
    assert len(lines) - 1 == int(count)
    assert {(line[2], line[4]) for line in lines[1:]} == {("V1", "speed")}


@pytest.mark.parametrize("width", [420, 900, 1280])
def test_nothing_is_wider_than_the_screen(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_print_has_every_session_in_dark_ink_and_clips_nothing(page: Any) -> None:
    assert len(rows(page, "sessions")) == 50
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 700, "height": 990})
    assert len(rows(page, "sessions")) == SESSIONS
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    parts = "[...document.querySelectorAll('main *')].filter(part => part.checkVisibility())"
    rights = f"{parts}.map(part => [part.getBoundingClientRect().right, part.tagName])"
    widest = max(page.evaluate(rights))
    assert widest[0] <= 701, widest
    page.emulate_media(media="screen", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 23, 28)"
    page.emulate_media(media="screen", color_scheme="light")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert len(rows(page, "sessions")) == 50


def test_without_a_script_the_page_is_read(browser: Any, folder: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    still = context.new_page()
    still.goto((folder / "summary.html").as_uri())
    assert len(rows(still, "sessions")) == len(rows(still, "atlas")) == 50
    assert "sessions.csv and atlas.csv, beside this page, have all" in still.content()
    assert not still.locator("#search").is_visible()
    assert still.locator(".forest a").count() > 10
    context.close()
