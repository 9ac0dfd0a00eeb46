"""The page of a run at work in a real browser: it follows the run, says its end, and works without a script."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.commands.test_run_progress import PROGRESS, begun, end, write_log
from xcebra_nwb.commands import watch_server
from xcebra_nwb.commands.watch_server import serving
from xcebra_nwb.core import receipts

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (apt install chromium)")]
SOON = 15_000  # ms; the page looks every two seconds


def test_the_page_follows_a_run_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser of seconds to start is used for all that one asks of this page."""
    monkeypatch.setattr(watch_server, "SECONDS_OF_STEPS", 0.0)
    begun(tmp_path)
    write_log(tmp_path, "a", "extract", PROGRESS)
    errors: list[str] = []
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with serving(tmp_path, ["a", "b"]) as server:
            page = browser.new_page(viewport={"width": 420, "height": 900})
            page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(server.address)
            assert page.url == f"http://127.0.0.1:{server.port}/"
            assert (
                page.locator("#progress").inner_text().startswith("2 sessions: 0 done, 0 refused, 0 failed, 1 at work")
            )
            assert page.evaluate("document.documentElement.scrollWidth") <= 420
            for command in receipts.ORDER[1:]:
                end(tmp_path, "a", command)
            (tmp_path / "a" / "report.html").write_text("<p>the page of a</p>")
            page.get_by_role("link", name="a", exact=True).wait_for(timeout=SOON)
            plain = browser.new_context(java_script_enabled=False)
            without = plain.new_page()
            without.goto(server.address)
            assert without.locator("tbody tr").count() == 2
            without.get_by_role("link", name="a", exact=True).click()
            assert without.inner_text("body") == "the page of a"
            stranger = browser.new_context().new_page()
            assert stranger.goto(f"http://127.0.0.1:{server.port}/").status == 403
            server.asked = -watch_server.SECONDS_OF_SILENCE
            server.end()
            page.get_by_text("The run has ended.").wait_for(timeout=SOON)
        browser.close()
    assert errors == []
