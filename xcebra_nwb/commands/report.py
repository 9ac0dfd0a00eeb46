"""report: results of a session -> report.html."""

from __future__ import annotations

from pathlib import Path

from xcebra_nwb.core.files import write_text
from xcebra_nwb.core.receipts import first_refusal
from xcebra_nwb.core.results import load, read_optional_json
from xcebra_nwb.report.pages.session import refused_page, session_page


def report(directory: Path) -> list[Path]:
    """Write the page of a session and return its path.

    A session that an earlier command refused gets a page with the reason and what would help.

    Args:
        directory: The session's results folder.

    Raises:
        UsageError: Results of an earlier command are missing or cannot be read.
    """
    refused = first_refusal(directory)
    if refused is not None:
        page = refused_page(refused, read_optional_json(directory / "inventory.json"))
    else:
        page = session_page(load(directory), directory)
    path = directory / "report.html"
    write_text(path, page)
    return [path]
