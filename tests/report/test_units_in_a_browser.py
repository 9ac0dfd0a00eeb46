"""The units of a session's page in a real browser: links, filter, hover, saving, keys, widths, print, no script."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.report.conftest import errors_of
from tests.support.make_results import make_results, make_session
from xcebra_nwb.commands.report import report
from xcebra_nwb.core import netcdf
from xcebra_nwb.report import style
from xcebra_nwb.report.pages import units as units_page

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.slow
SOON = 5_000  # ms


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A session of 30 units, of which the page holds 20 as they stand and packs the others."""
    made = tmp_path_factory.mktemp("results")
    rng = np.random.default_rng(0)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(units_page, "READABLE", 1)
        patched.setattr(style, "_data_uri", lambda drawn, colors=256: "data:image/png;base64,")
        make_results(made, rng, session=make_session(rng, units=30, bins=6000))
        report(made)
    yield made


@pytest.fixture
def page(browser: Any, folder: Path) -> Iterator[Any]:
    """The page at 1280 pixels; a test fails on any error in its console."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    errors = errors_of(opened)
    opened.goto((folder / "report.html").as_uri())
    yield opened
    opened.close()
    assert [error for error in errors if "ERR_INVALID_URL" not in error] == []  # pictures that were not drawn


def packed_unit(page: Any) -> str:
    return str(page.locator("script.pack").first.get_attribute("data-addresses")).split(" ")[0].removeprefix("unit-")


def test_a_name_leads_to_the_card_and_the_card_to_the_next(page: Any) -> None:
    first = page.locator("#units .table td a").first
    address = str(first.get_attribute("href"))
    first.click()
    card = page.locator(address)
    sync_api.expect(card).to_be_visible(timeout=SOON)
    assert page.url.endswith(address)
    assert page.evaluate("document.activeElement.id") == address[1:]
    card.get_by_text("next unit").click()
    sync_api.expect(card).to_be_hidden(timeout=SOON)
    assert page.locator(".unit:visible").count() == 1


def test_a_packed_card_has_the_numbers_of_the_tables(page: Any, folder: Path) -> None:
    unit = packed_unit(page)
    page.evaluate(f"location.hash = 'unit-{unit}'")
    card = page.locator(f"#unit-{unit}")
    sync_api.expect(card).to_be_visible(timeout=SOON)
    assert card.locator("svg[data-p]").count() == 4  # the choice has trials, too
    attribution = netcdf.load_dataset(folder / "attribution.nc").isel(unit=int(unit))
    rows = card.locator(".tests tbody tr").all_inner_texts()
    assert len(rows) == 3
    for row, label in zip(rows, attribution["label"].values, strict=True):
        cells = row.replace("−", "-").split("\t")
        assert cells[0] == label
        assert float(cells[2]) == pytest.approx(float(attribution["information"].sel(label=label)), rel=6e-3)


def test_the_matrix_says_what_is_under_the_pointer_and_leads_to_the_card(page: Any) -> None:
    matrix = page.locator("svg.matrix").first
    matrix.scroll_into_view_if_needed()
    places = page.evaluate("JSON.parse(document.getElementById('matrix-places').textContent)")
    scale = page.evaluate("document.querySelector('svg.matrix').getScreenCTM().a")
    column, row = 4, 1
    at = {
        "x": scale * (places["left"] + (column + 0.5) * places["width"]),
        "y": scale * (places["above"] + (row + 0.5) * places["height"]),
    }
    matrix.hover(position=at, force=True)
    unit = places["units"][0][column]
    sync_api.expect(page.locator("#tip")).to_contain_text(f"unit {unit} · ", timeout=SOON)
    sync_api.expect(page.locator("#tip")).to_contain_text("head_direction", timeout=SOON)
    matrix.click(position=at, force=True)
    sync_api.expect(page.locator(f"#unit-{unit}")).to_be_visible(timeout=SOON)


def test_keys_alone_lead_through_the_matrix_to_a_card(page: Any) -> None:
    page.locator("svg.matrix").first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    unit = page.evaluate("JSON.parse(document.getElementById('matrix-places').textContent).units[0][1]")
    sync_api.expect(page.locator("#tip")).to_contain_text(f"unit {unit} · ", timeout=SOON)
    page.keyboard.press("Enter")
    sync_api.expect(page.locator(f"#unit-{unit}")).to_be_visible(timeout=SOON)


def test_a_value_under_the_pointer_is_that_of_the_file(page: Any, folder: Path) -> None:
    units = netcdf.load_dataset(folder / "units.nc")
    address = str(page.locator("#units .table td a").first.get_attribute("href"))
    page.evaluate(f"location.hash = '{address}'")
    drawing = page.locator(f"{address} svg[data-p='axes-2']")
    sync_api.expect(drawing).to_be_visible(timeout=SOON)
    scale = drawing.evaluate("svg => svg.getScreenCTM().a")
    first = float(page.locator("#axes-2").get_attribute("data-x").split()[0])
    drawing.hover(position={"x": scale * first, "y": scale * 60}, force=True)
    tip = page.locator("#tip")
    sync_api.expect(tip).to_contain_text("left: about ", timeout=SOON)
    value = float(str(tip.inner_text()).split("about ")[1].split(" ")[0])
    unit = [f"#unit-{name}" for name in units["unit_id"].values].index(address)
    assert value == pytest.approx(float(units["choice_tuning"][unit, 0]), rel=0.06)


def test_the_gallery_is_filtered_by_region_and_q_and_sorted(page: Any) -> None:
    table = page.locator("#units .table").first
    table.locator("input[type=search]").fill("CA1 q<0.05")
    rows = [row.split("\t") for row in table.locator("tbody tr").all_inner_texts()]
    assert rows
    assert {row[1] for row in rows} == {"CA1"}
    assert all(float(row[7]) < 0.05 for row in rows)
    table.get_by_role("button", name="rate").click()
    rates = [float(row.split("\t")[2]) for row in table.locator("tbody tr").all_inner_texts()]
    assert rates == sorted(rates, reverse=True)


def test_tables_and_figures_are_saved(page: Any, tmp_path: Path) -> None:
    table = page.locator("#units .table").first
    table.locator("input[type=search]").fill("MEC")
    with page.expect_download() as saved:
        table.get_by_role("button", name="CSV").click()
    saved.value.save_as(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][:2] == ["unit", "region"]
    assert len(rows) == 1 + 15
    assert {row[1] for row in rows[1:]} == {"MEC"}
    figure = page.locator("#units figure.wide").first
    for name, begin in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        with page.expect_download() as saved:
            figure.get_by_role("button", name=name).click()
        saved.value.save_as(tmp_path / name)
        content = (tmp_path / name).read_bytes()
        assert content.startswith(begin)
        assert b"<use" not in content and b"var(--" not in content


def test_without_a_script_the_cards_are_read_by_their_address(browser: Any, folder: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto((folder / "report.html").as_uri())
    link = opened.locator("#units .table td a").first
    address = str(link.get_attribute("href"))
    link.click()
    sync_api.expect(opened.locator(address)).to_be_visible(timeout=SOON)
    assert opened.locator(f"{address} svg[data-p]").count() == 4
    assert opened.locator(f"{address} .tests tbody tr").count() == 3
    assert "Without JavaScript the page shows the cards of 20 of 30 units" in opened.content()
    context.close()


@pytest.mark.parametrize("width", [420, 900, 1280])
def test_nothing_is_wider_than_the_screen(browser: Any, folder: Path, width: int) -> None:
    opened = browser.new_page(viewport={"width": width, "height": 900})
    opened.goto((folder / "report.html").as_uri() + "#unit-0")
    sync_api.expect(opened.locator("#unit-0")).to_be_visible(timeout=SOON)
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    opened.close()


def test_print_is_light_and_clips_nothing(browser: Any, folder: Path) -> None:
    context = browser.new_context(color_scheme="dark", viewport={"width": 700, "height": 990})
    opened = context.new_page()
    opened.goto((folder / "report.html").as_uri())
    dark = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    opened.emulate_media(media="print", color_scheme="dark")
    light = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark == "rgb(18, 23, 28)"
    assert light == "rgb(255, 255, 255)"
    opened.evaluate("location.hash = 'unit-0'")
    sync_api.expect(opened.locator("#unit-0")).to_be_visible(timeout=SOON)
    parts = "[...document.querySelectorAll('#units *, #attribution *')]"
    assert max(opened.evaluate(f"{parts}.map((part) => part.getBoundingClientRect().right)")) <= 700
    context.close()


def test_a_word_says_its_meaning_to_pointer_key_and_finger(page: Any) -> None:
    tip, word = page.locator("#tip"), page.locator("#decoding .guide a.term", has_text="null").first
    meaning = "A member that is trained with one label shuffled and all others true."
    word.hover()
    sync_api.expect(tip).to_contain_text(meaning, timeout=SOON)
    page.keyboard.press("Escape")
    sync_api.expect(tip).to_be_hidden(timeout=SOON)
    word.focus()
    sync_api.expect(tip).to_contain_text(meaning, timeout=SOON)
    page.evaluate("document.activeElement.blur()")
    sync_api.expect(tip).to_be_hidden(timeout=SOON)
    place = page.evaluate("scrollY")
    word.click()  # and a tap
    sync_api.expect(tip).to_contain_text(meaning, timeout=SOON)
    assert page.evaluate("[scrollY, location.hash]") == [place, ""]
    ground = page.locator("#conditions tbody a.term").first
    ground.focus()
    sync_api.expect(tip).to_contain_text("a label that its block does not tell", ignore_case=True, timeout=SOON)


def test_headings_descend_in_order_regions_have_a_way_in_and_paper_has_all_rows(page: Any) -> None:
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map((h) => Number(h.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in pairwise(levels))
    page.set_viewport_size({"width": 420, "height": 900})
    closed = """[...document.querySelectorAll('main *')].filter((part) => part.scrollWidth > part.clientWidth + 1
        && getComputedStyle(part).overflowX === 'auto' && part.tabIndex < 0).map((part) => part.className)"""
    assert page.evaluate(closed) == []
    assert page.locator("#attribution figure img").first.bounding_box()["width"] >= 860
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    rows = page.locator("#units .table").first.locator("tbody tr")
    assert rows.count() < 30
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert rows.count() == 30
    assert page.locator("th button").count() == 0  # Chromium repeats no head that has one
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert rows.count() < 30
    assert page.locator("th button").count() > 30


def shown_figure(page: Any, kind: str) -> Any:
    """The first figure of a kind, once it is drawn."""
    figure = page.locator(f"figure.{kind}").first
    figure.scroll_into_view_if_needed()
    page.wait_for_selector(f"figure.{kind}[data-ready]", timeout=4 * SOON)
    figure.evaluate("figure => figure.scrollIntoView({ block: 'center' })")
    page.wait_for_timeout(100)
    return figure


def test_the_embedding_is_turned_played_and_pointed_at(page: Any, folder: Path) -> None:
    canvas = shown_figure(page, "cloud").locator("canvas")
    canvas.focus()
    before, picture = canvas.get_attribute("data-view"), canvas.evaluate("canvas => canvas.toDataURL()")
    for key in ("ArrowRight", "ArrowUp", "+"):
        page.keyboard.press(key)
    assert canvas.get_attribute("data-view") != before
    page.wait_for_timeout(200)
    assert canvas.evaluate("canvas => canvas.toDataURL()") != picture
    turned = canvas.get_attribute("data-view")
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 100)
    page.mouse.up()
    assert canvas.get_attribute("data-view") != turned
    figure = page.locator("figure.cloud").first
    figure.locator(".by").select_option("time")
    assert figure.locator(".key:visible").count() == 1
    canvas.focus()
    page.keyboard.press(" ")
    sync_api.expect(figure.locator("output")).to_have_text(re.compile(r" s$"), timeout=SOON)
    page.keyboard.press("Home")
    assert figure.locator("output").inner_text() == "all times"
    assert canvas.get_attribute("data-view") == before
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    sync_api.expect(page.locator("#tip")).to_contain_text("position: about ", timeout=SOON)


def test_the_recording_is_zoomed_by_a_drag_and_by_keys(page: Any, folder: Path) -> None:
    canvas = shown_figure(page, "timeline").locator("canvas")

    def view() -> list[int]:
        page.wait_for_timeout(100)
        return [int(each) for each in str(canvas.get_attribute("data-view")).split()]

    assert view() == [0, 6000]
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60, steps=3)
    page.mouse.up()
    assert view() == pytest.approx([1500, 3000], abs=15)
    canvas.focus()
    for _ in range(12):
        page.keyboard.press("+")
    first, last = view()
    assert last - first == 20  # single bins
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    said = page.locator("#tip").inner_text().replace("\u2212", "-")
    session = netcdf.load_dataset(folder / "session.nc")
    at = int(np.abs(session["time"].values - float(said.split(" s")[0])).argmin())
    x = float(said.split("position, axis 0: about ")[1].split(" ")[0])
    assert x == pytest.approx(float(session["position"].values[at, 0]), abs=0.05)
    page.keyboard.press("Home")
    assert view() == [0, 6000]


def test_units_that_are_chosen_are_marked_everywhere(page: Any) -> None:
    table = page.locator("#units .table").first
    shown_figure(page, "scatter")
    boxes = table.locator("input.choose")
    names = [str(boxes.nth(place).get_attribute("aria-label")).removeprefix("choose unit ") for place in (0, 2)]
    for place in (0, 2):
        boxes.nth(place).check()
    assert "2 units chosen" in page.locator("#chosen").inner_text()
    assert page.locator("svg.matrix .chosen").first.get_attribute("d").count("M") == 2
    assert page.locator("figure.scatter .chosen").get_attribute("d").count("M") == 2
    assert page.locator("a.spot.chosen").count() == 12  # a bar and a point for each label
    page.get_by_role("button", name="show only the chosen").click()
    shown = [row.split("\t")[0].strip() for row in table.locator("tbody tr").all_inner_texts()]
    assert sorted(shown) == sorted(names)
    page.locator("#chosen").get_by_role("button", name="choose no unit").click()
    sync_api.expect(table.locator("tbody tr")).to_have_count(25, timeout=SOON)


def test_a_drag_over_the_matrix_and_a_bar_choose_units(page: Any) -> None:
    matrix = page.locator("svg.matrix").first
    matrix.scroll_into_view_if_needed()
    places = page.evaluate("JSON.parse(document.getElementById('matrix-places').textContent)")
    scale, box = page.evaluate("document.querySelector('svg.matrix').getScreenCTM().a"), matrix.bounding_box()

    def at(column: int) -> tuple[float, float]:
        return box["x"] + scale * (places["left"] + (column + 0.5) * places["width"]), box["y"] + scale * 26

    page.mouse.move(*at(1))
    page.mouse.down()
    page.mouse.move(*at(4), steps=4)
    page.mouse.up()
    assert page.evaluate("[...chosen]") == places["units"][0][1:5]
    assert "#unit-" not in page.url  # a drag opens no card
    bar = page.locator(".mixed .set").first
    bar.focus()
    page.keyboard.press("Enter")
    counted = int(str(bar.get_attribute("data-words")).split(": ")[1].split(" ")[0])
    assert page.evaluate("chosen.size") == counted
    rows = page.locator("#units .table tbody tr").all()
    marked = [row.get_attribute("class") == "chosen" for row in rows]
    assert marked == [page.evaluate("(name) => chosen.has(name)", row.locator("a").inner_text()) for row in rows]
    assert any(marked)


def test_points_of_the_scatter_are_reached_by_keys_and_lead_to_cards(page: Any) -> None:
    graphic = shown_figure(page, "scatter").locator("svg")
    graphic.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    (unit,) = page.evaluate("[...chosen]")
    sync_api.expect(page.locator("#tip")).to_contain_text(f"unit {unit} · ", timeout=SOON)
    page.keyboard.press("Enter")
    sync_api.expect(page.locator(f"#unit-{unit}")).to_be_visible(timeout=SOON)


def test_rates_around_events_are_said_under_the_pointer(page: Any, folder: Path) -> None:
    units = netcdf.load_dataset(folder / "units.nc")
    page.evaluate("location.hash = 'unit-0'")
    drawing = page.locator("#unit-0 svg[data-p='events-2']")
    sync_api.expect(drawing).to_be_visible(timeout=SOON)
    scale = drawing.evaluate("svg => svg.getScreenCTM().a")
    first, step = map(float, page.locator("#events-2").get_attribute("data-x").split())
    drawing.hover(position={"x": scale * (first + 10 * step), "y": scale * 90}, force=True)
    sync_api.expect(page.locator("#tip")).to_contain_text("left: about ", timeout=SOON)
    value = float(str(page.locator("#tip").inner_text()).split("left: about ")[1].split(" ")[0])
    assert value == pytest.approx(float(units["choice_event_rate"][0, 0, 10]), rel=0.06)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, folder: Path, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)  # axe is a script of its own
    opened = context.new_page()
    opened.goto((folder / "report.html").as_uri() + "#unit-0")
    opened.evaluate("choose(['0', '1'])")
    found = axe.Axe().run(opened).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")] == []
    context.close()
