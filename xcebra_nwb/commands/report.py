"""report: results of a session -> report.html, atlas.json."""

from __future__ import annotations

from pathlib import Path

from xcebra_nwb.core.files import write_text
from xcebra_nwb.core.receipts import first_refusal
from xcebra_nwb.core.results import load, read_optional_json
from xcebra_nwb.report import atlas_part
from xcebra_nwb.report.pages.session import refused_page, session_page


def report(directory: Path) -> list[Path]:
    """Write the page of a session and its part of the atlas; return their paths.

    A session that an earlier command refused gets a page with the reason and what would help, and nothing else.

    Args:
        directory: The session's results folder.

    Raises:
        UsageError: Results of an earlier command are missing or cannot be read.
    """
    path, refused = directory / "report.html", first_refusal(directory)
    if refused is not None:
        write_text(path, refused_page(refused, read_optional_json(directory / "inventory.json")))
        return [path]
    results = load(directory)
    write_text(path, session_page(results, directory))
    part = atlas_part.atlas_part(results.attribution, str(results.session.attrs["subject"]))
    return [path, atlas_part.save(part, directory)]
