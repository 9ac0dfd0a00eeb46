"""preview: session.nc -> extraction.html, before anything is trained."""

from __future__ import annotations

from pathlib import Path

from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.files import write_text
from xcebra_nwb.core.results import read_optional_json
from xcebra_nwb.core.session import load
from xcebra_nwb.report.pages.extraction import extraction_page


def preview(directory: Path, config: Config) -> Path:
    """Write the page of what was extracted, with what the settings can show of it; return its path.

    Args:
        directory: The session's results folder.
        config: The config with which the session is to be trained.

    Raises:
        UsageError: There is no session.nc, or the config asks for something that the session does not have.
        Refusal: The session is too short to train on.
    """
    path = directory / "extraction.html"
    session, inventory = load(directory / "session.nc"), read_optional_json(directory / "inventory.json")
    write_text(path, extraction_page(session, inventory, config))
    return path
