"""preview: session.nc -> extraction.html, before anything is trained."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from xcebra_nwb.assess.power import Outlook, outlook
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.files import write_text
from xcebra_nwb.core.results import read_optional_json
from xcebra_nwb.core.session import load
from xcebra_nwb.report.pages.extraction import extraction_page


def preview(directory: Path, config: Config) -> tuple[Path, Outlook]:
    """Write the page of what was extracted; return its path, and what the settings can show of the session.

    Args:
        directory: The session's results folder.
        config: The config with which the session is to be trained.

    Raises:
        UsageError: There is no session.nc, or the config asks for something that the session does not have.
        Refusal: The session is too short to train on.
    """
    path = directory / "extraction.html"
    session, inventory = load(directory / "session.nc"), read_optional_json(directory / "inventory.json")
    foreseen = outlook(session, config)
    write_text(path, extraction_page(session, inventory, foreseen, config))
    return path, foreseen


def as_json(path: Path, foreseen: Outlook) -> dict[str, Any]:
    """Return the path of the page and the numbers of its table, by label, for JSON."""
    labels = [asdict(shown) | {"limits": foreseen.limits[shown.label]} for shown in foreseen.shown]
    return {"page": str(path), "labels": labels}
