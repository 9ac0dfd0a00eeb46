"""The page of a run at work in a real browser: it follows the run, says its end, and works without a script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.commands.test_run_progress import PROGRESS, begun, end, write_log
from tests.report.conftest import errors_of
from xcebra_nwb.commands import watch_server
from xcebra_nwb.commands.watch_server import serving
from xcebra_nwb.core import receipts

pytestmark = pytest.mark.slow
SOON = 15_000  # ms; the page looks every two seconds


def test_the_page_follows_a_run_to_its_end(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_server, "SECONDS_OF_STEPS", 0.0)
    begun(tmp_path)
    write_log(tmp_path, "a", "extract", PROGRESS)
    with serving(tmp_path, ["a", "b"]) as server:
        page = browser.new_page(viewport={"width": 420, "height": 900})
        errors = errors_of(page)
        page.goto(server.address)
        assert page.url == f"http://127.0.0.1:{server.port}/"
        assert page.locator("#progress").inner_text().startswith("2 sessions: 0 done, 0 refused, 0 failed, 1 at work")
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
    assert errors == []
